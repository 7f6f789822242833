-- Every feature, written a second time, from the visible events of each snapshot and nothing else.
-- The test expands DEFINE (a macro of DuckDB can't name columns) and gives two tables:
-- events (account_id, ts, known, kind, place, amount, value, loan_id, detail), where place is the
-- kind's rank among ties, and snapshots (point, account_id, as_of). Times are microseconds.

CREATE OR REPLACE MACRO days(n) AS n * 86400000000::BIGINT;
CREATE OR REPLACE MACRO hours(n) AS n * 3600000000::BIGINT;
CREATE OR REPLACE MACRO share(part, whole) AS
    CASE WHEN whole > 0 THEN part::DOUBLE / whole::DOUBLE END;
DEFINE count_in(k, w) AS
    count(*) FILTER (kind = k AND age < days(w));
DEFINE sum_in(k, w) AS
    coalesce(sum(amount) FILTER (kind = k AND age < days(w)), 0);
DEFINE last_of(k) AS
    arg_max(amount, seq) FILTER (kind = k AND amount IS NOT NULL);
DEFINE last_value_of(k) AS
    arg_max(value, seq) FILTER (kind = k AND value IS NOT NULL);
DEFINE latest(k, n) AS
    (list(amount ORDER BY seq DESC) FILTER (kind = k AND amount IS NOT NULL))[1:n];
DEFINE since(k) AS
    (any_value(as_of) - arg_max(ts, seq) FILTER (kind = k)) / days(1);
DEFINE worst(low, high) AS
    greatest(coalesce(
        max(value) FILTER (kind = 'overdue' AND age >= days(low) AND age < days(high)), 0), 0);
DEFINE arrears() AS
    coalesce(max(seq) FILTER (kind = 'overdue'), 0) > coalesce(max(seq) FILTER (kind = 'cured'), 0);
CREATE OR REPLACE MACRO variation(l) AS
    CASE WHEN len(l) >= 2 AND list_avg(l) > 0 THEN list_stddev_pop(l) / list_avg(l) END;
CREATE OR REPLACE MACRO slope(l) AS
    CASE WHEN list_count(l) >= 2 THEN
        (list_count(l) * list_sum(list_transform(l, lambda u, i: (1 - i) * u))
         - list_sum(list_transform(l, lambda u, i: CASE WHEN u IS NOT NULL THEN 1 - i END)) * list_sum(l))
        / (list_count(l)
           * list_sum(list_transform(l, lambda u, i: CASE WHEN u IS NOT NULL THEN (1 - i) ** 2 END))
           - list_sum(list_transform(l, lambda u, i: CASE WHEN u IS NOT NULL THEN 1 - i END)) ** 2) END;
DEFINE moved(ago) AS
    coalesce(sum(CASE WHEN kind = 'draw' THEN amount
                      WHEN kind IN ('repayment', 'prepayment', 'charge_off') THEN -amount END)
             FILTER (age >= days(ago)), 0);
DEFINE balance(ago) AS
    greatest(moved(ago), 0);
DEFINE limit_at(ago) AS
    arg_max(amount, seq) FILTER (kind = 'limit' AND amount IS NOT NULL AND age >= days(ago));
DEFINE utilisation(ago) AS
    share(balance(ago), limit_at(ago));
DEFINE unsettled() AS
    coalesce(sum(CASE WHEN kind = 'interest' THEN amount
                      WHEN kind = 'interest_payment' THEN -amount END), 0);
DEFINE unpaid_month(m) AS
    CASE WHEN count(*) FILTER (kind = 'due' AND age >= days(30 * m) AND age < days(30 * m + 30)) > 0
          AND count(*) FILTER (
              kind = 'repayment' AND age >= days(30 * m) AND age < days(30 * m + 30)) = 0
         THEN 1 ELSE 0 END;
DEFINE drawn_for(p) AS
    coalesce(sum(amount) FILTER (
        kind = 'draw' AND age < days(365) AND (detail = p OR detail = 'coupon:' || p)), 0);
WITH visible AS (
    SELECT s.point, s.as_of, s.as_of - e.known AS age, e.*,
        row_number() OVER (
            PARTITION BY s.point
            ORDER BY known, ts, place, loan_id NULLS FIRST, amount NULLS FIRST,
                value NULLS FIRST, detail NULLS FIRST) AS seq
    FROM snapshots AS s LEFT JOIN events AS e ON e.account_id = s.account_id AND e.known <= s.as_of
),
-- For each event, the last earlier one of some kinds (its seq), and running sums.
traced AS (
    SELECT *,
        max(CASE WHEN kind = 'draw' THEN seq END) OVER before AS last_draw,
        max(CASE WHEN kind = 'prepayment' THEN seq END) OVER before AS last_prepayment,
        max(CASE WHEN kind = 'income' THEN seq END) OVER before AS last_income,
        max(CASE WHEN kind = 'inflow' AND detail = 'lender' THEN seq END) OVER before AS last_lender,
        max(CASE WHEN kind = 'operation' AND detail = 'card_change' THEN seq END) OVER before
            AS last_card,
        max(CASE WHEN kind = 'outage' THEN seq END) OVER before AS last_outage,
        min(CASE WHEN kind = 'outage' THEN seq END) OVER later AS next_outage,
        sum(CASE WHEN kind = 'outage' THEN coalesce(value, 0) ELSE 0 END) OVER so_far AS outage_minutes,
        sum(CASE WHEN kind = 'draw' THEN amount
                 WHEN kind IN ('repayment', 'prepayment', 'charge_off') THEN -amount END)
            OVER so_far AS running,
        coalesce(sum(CASE WHEN kind = 'interest' THEN amount
                          WHEN kind = 'interest_payment' THEN -amount END) OVER so_far, 0) AS owed,
        (SELECT max(d.seq) FROM visible AS d
         WHERE d.point = v.point AND d.kind = 'draw' AND d.seq < v.seq
           AND (v.kind = 'prepayment' AND v.loan_id IS NULL
                OR v.kind IN ('prepayment', 'repayment') AND d.loan_id = v.loan_id)) AS matched_draw,
        coalesce(sum(CASE WHEN kind = 'draw' THEN amount
                          WHEN kind IN ('repayment', 'prepayment', 'charge_off') THEN -amount END)
            OVER (PARTITION BY point, loan_id ORDER BY seq ROWS UNBOUNDED PRECEDING), 0) AS loan_owed
    FROM visible AS v
    WINDOW before AS (PARTITION BY point ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
        later AS (PARTITION BY point ORDER BY seq ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING),
        so_far AS (PARTITION BY point ORDER BY seq ROWS UNBOUNDED PRECEDING)
),
facts AS (
    SELECT t.*,
        prepayment.ts AS prepayment_ts,
        t.ts - prepayment.ts AS after_prepayment,
        t.ts - lender.ts AS after_lender,
        t.ts - card.ts AS after_card,
        CASE WHEN t.kind = 'income' THEN t.ts - income.ts END AS payday_gap,
        CASE WHEN t.kind = 'prepayment' AND t.matched_draw IS NOT NULL
             THEN greatest(t.ts - opening.ts, 0) END AS hold,
        CASE WHEN t.kind = 'repayment' AND t.matched_draw IS NOT NULL
                  AND t.loan_owed <= 0 AND t.loan_owed + t.amount > 0
             THEN greatest(t.ts - opening.ts, 0) END AS term,
        CASE WHEN t.kind = 'draw' AND coalesce(t.last_draw, 0) < t.last_prepayment
             THEN greatest(t.ts - prepayment.ts
                 - (t.outage_minutes - prepayment.outage_minutes) * 60000000, 0) END::BIGINT AS gap,
        coalesce(t.kind = 'draw' AND coalesce(t.last_draw, 0) < t.last_prepayment
            AND t.ts - opened.ts <= days(14), false) AS cycle,
        coalesce(was.ts <= t.ts AND t.ts < was.ts + was.value * 60000000::BIGINT, false)
            OR coalesce(next.ts <= t.ts AND t.ts < next.ts + next.value * 60000000::BIGINT
                AND next.known - t.known <= days(7), false) AS excused,
        max(CASE WHEN t.kind IN ('interest', 'interest_payment') AND t.owed <= 0 THEN t.seq
                 ELSE 0 END) OVER (PARTITION BY t.point) AS settled
    FROM traced AS t
    LEFT JOIN traced AS prepayment ON prepayment.point = t.point AND prepayment.seq = t.last_prepayment
    LEFT JOIN traced AS lender ON lender.point = t.point AND lender.seq = t.last_lender
    LEFT JOIN traced AS card ON card.point = t.point AND card.seq = t.last_card
    LEFT JOIN traced AS income ON income.point = t.point AND income.seq = t.last_income
    LEFT JOIN traced AS opening ON opening.point = t.point AND opening.seq = t.matched_draw
    LEFT JOIN traced AS opened ON opened.point = t.point AND opened.seq = prepayment.matched_draw
    LEFT JOIN traced AS was ON was.point = t.point AND was.seq = t.last_outage
    LEFT JOIN traced AS next ON next.point = t.point AND next.seq = t.next_outage
),
-- For each full settlement of a known loan, the term of the last loan that ran to its end before.
settled AS (
    SELECT *,
        CASE WHEN kind = 'prepayment' AND detail = 'full' AND hold IS NOT NULL
             THEN last_value(term IGNORE NULLS) OVER (
                PARTITION BY point ORDER BY seq ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        END AS usual_term
    FROM facts
)
SELECT
    count(*) FILTER (cycle AND age < days(90)) AS cycle_count_90d,
    count(*) FILTER (cycle AND age < days(365)) AS cycle_count_365d,
    list_median((list(hold ORDER BY seq DESC) FILTER (hold IS NOT NULL))[1:5]) / days(1) AS hold_median_days,
    min(hold) FILTER (age < days(365)) / days(1) AS hold_min_365d_days,
        share(count(*) FILTER (hold < days(7) AND age < days(180)), count(hold) FILTER (age < days(180))) AS
        hold_short_share_180d,
        share(count(*) FILTER (hold < days(7) AND age < days(365)), count(hold) FILTER (age < days(365))) AS
        hold_short_share_365d,
        share(coalesce(sum(amount) FILTER (kind = 'draw' AND after_prepayment <= hours(72) AND age <
        days(90)), 0), sum_in('prepayment', 90)) AS redrawn_to_prepaid_90d,
        share(coalesce(sum(amount) FILTER (kind = 'draw' AND after_prepayment <= hours(72) AND age <
        days(365)), 0), sum_in('prepayment', 365)) AS redrawn_to_prepaid_365d,
        share(coalesce(sum(amount) FILTER (kind = 'draw' AND starts_with(detail, 'coupon:') AND age <
        days(365)), 0), sum_in('draw', 365)) AS coupon_share_365d,
    share(sum_in('interest', 365), sum_in('draw', 365)) AS interest_to_drawn_365d,
    CASE WHEN arrears() THEN greatest(coalesce(last_value_of('overdue'), 0), 0) ELSE 0 END AS dpd_now,
    share(CASE WHEN arrears() THEN last_of('overdue') ELSE 0 END, limit_at(0)) AS overdue_amount_to_limit,
    worst(0, 30) AS dpd_worst_30d,
    worst(0, 60) AS dpd_worst_60d,
    worst(0, 90) AS dpd_worst_90d,
    worst(0, 180) AS dpd_worst_180d,
    worst(0, 365) AS dpd_worst_365d,
    worst(0, 99999) AS dpd_worst_ever,
    worst(30, 60) AS dpd_month_1,
    worst(60, 90) AS dpd_month_2,
    worst(90, 120) AS dpd_month_3,
    worst(120, 150) AS dpd_month_4,
    worst(150, 180) AS dpd_month_5,
    count_in('overdue', 90) AS overdue_count_90d,
    count_in('overdue', 365) AS overdue_count_365d,
    count(*) FILTER (kind = 'overdue' AND value >= 30 AND age < days(90)) AS overdue_30_count_90d,
    count(*) FILTER (kind = 'overdue' AND value >= 30 AND age < days(180)) AS overdue_30_count_180d,
    count(*) FILTER (kind = 'overdue' AND value >= 30 AND age < days(365)) AS overdue_30_count_365d,
    count(*) FILTER (kind = 'overdue' AND value >= 60 AND age < days(180)) AS overdue_60_count_180d,
    since('overdue') AS overdue_since_days,
    count_in('cured', 365) AS cured_count_365d,
    count_in('payment_returned', 30) AS payment_returned_count_30d,
    count_in('payment_returned', 180) AS payment_returned_count_180d,
    last_value_of('external_score') AS score_last,
        last_value_of('external_score') - arg_max(value, seq) FILTER (kind = 'external_score' AND value IS
        NOT NULL AND age >= days(90)) AS score_change_90d,
        avg(value) FILTER (kind = 'external_score' AND age < days(365)) AS score_mean_365d,
        (any_value(as_of) - arg_max(ts, seq) FILTER (kind = 'external_score' AND value IS NOT NULL)) /
        days(1) AS score_since_days,
    count_in('inquiry', 30) AS inquiry_count_30d,
    count_in('inquiry', 90) AS inquiry_count_90d,
    count_in('inquiry', 180) AS inquiry_count_180d,
    count_in('inquiry', 365) AS inquiry_count_365d,
        share(coalesce(sum(amount) FILTER (kind = 'prepayment' AND after_lender <= hours(48) AND age <
        days(90)), 0), sum_in('prepayment', 90)) AS lender_funded_share_90d,
        share(coalesce(sum(amount) FILTER (kind = 'prepayment' AND after_lender <= hours(48) AND age <
        days(365)), 0), sum_in('prepayment', 365)) AS lender_funded_share_365d,
        share(coalesce(sum(amount) FILTER (kind = 'prepayment' AND after_card <= hours(48) AND age <
        days(365)), 0), sum_in('prepayment', 365)) AS new_card_share_365d,
        coalesce(sum(amount) FILTER (kind = 'inflow' AND detail = 'lender' AND age < days(30)), 0) AS
        lender_inflow_30d,
        coalesce(sum(amount) FILTER (kind = 'inflow' AND detail = 'lender' AND age < days(180)), 0) AS
        lender_inflow_180d,
        share(count(*) FILTER (kind IN ('repayment', 'prepayment') AND starts_with(detail, 'third_party')
        AND age < days(365)), count(*) FILTER (kind IN ('repayment', 'prepayment') AND detail NOT IN
        ('full', 'partial') AND age < days(365) OR kind = 'repayment' AND detail IN ('full', 'partial')
        AND age < days(365))) AS third_party_share_365d,
    arg_max(gap, seq) FILTER (gap IS NOT NULL) / days(1) AS redraw_gap_last_days,
    min(gap) FILTER (age < days(365)) / days(1) AS redraw_gap_min_365d_days,
    avg(gap) FILTER (age < days(365)) / days(1) AS redraw_gap_mean_365d_days,
        share(arg_max(gap, seq) FILTER (gap IS NOT NULL), avg(gap) FILTER (age < days(365))) AS
        redraw_gap_trend_365d,
        share(count(*) FILTER (gap < days(1) AND age < days(365)), count(gap) FILTER (age < days(365))) AS
        redraw_day_share_365d,
    count_in('income', 90) AS income_count_90d,
    count_in('income', 180) AS income_count_180d,
    round_even(avg(amount) FILTER (kind = 'income' AND age < days(180)), 0) AS income_mean_180d,
    variation(latest('income', 6)) AS income_variation,
    variation((list(payday_gap ORDER BY seq DESC) FILTER (payday_gap IS NOT NULL))[1:6]) AS payday_variation,
        list_avg((list(payday_gap ORDER BY seq DESC) FILTER (payday_gap IS NOT NULL))[1:6]) / days(1) -
        since('income') AS payday_in_days,
    since('income') AS income_since_days,
    share(sum_in('income', 90) + sum_in('inflow', 90), sum_in('due', 90)) AS inflow_to_due_90d,
    greatest(unsettled(), 0) AS interest_unsettled,
        CASE WHEN unsettled() > 0 THEN (any_value(as_of) - arg_min(ts, seq) FILTER (kind IN ('interest',
        'interest_payment') AND seq > settled)) / days(1) ELSE 0 END AS interest_unpaid_days,
    share(greatest(unsettled(), 0), last_of('prepayment')) AS interest_to_prepaid,
    sum_in('interest_payment', 90) AS interest_paid_90d,
        share(3 * sum_in('interest', 90), balance(30) + balance(60) + balance(90)) AS
        interest_to_balance_90d,
        coalesce(sum(amount) FILTER (kind = 'interest' AND detail = 'penalty' AND age < days(180)), 0) AS
        penalty_interest_180d,
        count(*) FILTER (kind = 'operation' AND detail = 'login_failed' AND NOT excused AND age < days(30))
        AS login_failed_count_30d,
        count(*) FILTER (kind = 'operation' AND detail = 'login_failed' AND NOT excused AND age < days(90))
        AS login_failed_count_90d,
        count(*) FILTER (kind = 'operation' AND detail = 'device_change' AND NOT excused AND age < days(30))
        AS device_change_count_30d,
        count(*) FILTER (kind = 'operation' AND detail = 'device_change' AND NOT excused AND age < days(90))
        AS device_change_count_90d,
        count(*) FILTER (kind = 'operation' AND detail = 'phone_change' AND NOT excused AND age < days(30))
        AS phone_change_count_30d,
        count(*) FILTER (kind = 'operation' AND detail = 'phone_change' AND NOT excused AND age < days(90))
        AS phone_change_count_90d,
        count(*) FILTER (kind = 'operation' AND detail = 'card_change' AND NOT excused AND age < days(30))
        AS card_change_count_30d,
        count(*) FILTER (kind = 'operation' AND detail = 'card_change' AND NOT excused AND age < days(90))
        AS card_change_count_90d,
        count(*) FILTER (kind = 'operation' AND detail = 'limit_check' AND NOT excused AND age < days(30))
        AS limit_check_count_30d,
        count(*) FILTER (kind = 'operation' AND detail = 'limit_check' AND NOT excused AND age < days(90))
        AS limit_check_count_90d,
    count(*) FILTER (kind = 'operation' AND NOT excused AND age < days(7)) AS operation_count_7d,
    count(*) FILTER (kind = 'operation' AND NOT excused AND age < days(90)) AS operation_count_90d,
    last_of('due') AS due_last,
    share(last_of('due'), limit_at(0)) AS due_last_to_limit,
    share(sum_in('due', 180), limit_at(0)) AS due_to_limit_180d,
        share(sum_in('due', 90), coalesce(sum(amount) FILTER (kind = 'due' AND age >= days(90) AND age <
        days(180)), 0)) AS due_trend,
    share(last_of('due') - latest('due', 2)[2], limit_at(0)) AS due_step,
    variation(latest('due', 6)) AS due_variation,
    share(sum_in('repayment', 30), sum_in('due', 30)) AS repaid_to_due_30d,
    share(sum_in('repayment', 90), sum_in('due', 90)) AS repaid_to_due_90d,
    share(sum_in('repayment', 180), sum_in('due', 180)) AS repaid_to_due_180d,
    share(last_of('repayment'), latest('due', 2)[2]) AS repaid_last_to_due,
    share(last_of('repayment'), limit_at(0)) AS repaid_last_to_limit,
    sum_in('repayment', 30) AS repaid_sum_30d,
    sum_in('repayment', 90) AS repaid_sum_90d,
    sum_in('repayment', 180) AS repaid_sum_180d,
        coalesce(sum(amount) FILTER (kind = 'repayment' AND age >= days(30) AND age < days(60)), 0) AS
        repaid_month_1,
        coalesce(sum(amount) FILTER (kind = 'repayment' AND age >= days(60) AND age < days(90)), 0) AS
        repaid_month_2,
        coalesce(sum(amount) FILTER (kind = 'repayment' AND age >= days(90) AND age < days(120)), 0) AS
        repaid_month_3,
    min(amount) FILTER (kind = 'repayment' AND age < days(180)) AS repaid_smallest_180d,
        unpaid_month(0) + unpaid_month(1) + unpaid_month(2) + unpaid_month(3) + unpaid_month(4) +
        unpaid_month(5) AS months_unpaid_6m,
    since('repayment') AS repaid_since_days,
    since('due') AS due_since_days,
    count_in('due', 180) AS due_count_180d,
    count_in('draw', 30) AS draw_count_30d,
    count_in('draw', 90) AS draw_count_90d,
    count_in('draw', 180) AS draw_count_180d,
    share(sum_in('draw', 30), limit_at(0)) AS drawn_to_limit_30d,
    share(sum_in('draw', 90), limit_at(0)) AS drawn_to_limit_90d,
    share(sum_in('draw', 180), limit_at(0)) AS drawn_to_limit_180d,
    since('draw') AS draw_since_days,
    count_in('prepayment', 7) AS prepay_count_7d,
    count_in('prepayment', 30) AS prepay_count_30d,
    count_in('prepayment', 90) AS prepay_count_90d,
    count_in('prepayment', 180) AS prepay_count_180d,
    count_in('prepayment', 365) AS prepay_count_365d,
    sum_in('prepayment', 7) AS prepay_sum_7d,
    sum_in('prepayment', 30) AS prepay_sum_30d,
    sum_in('prepayment', 90) AS prepay_sum_90d,
    sum_in('prepayment', 180) AS prepay_sum_180d,
    sum_in('prepayment', 365) AS prepay_sum_365d,
    share(sum_in('prepayment', 90), sum_in('draw', 90)) AS prepaid_to_drawn_90d,
    share(sum_in('prepayment', 365), sum_in('draw', 365)) AS prepaid_to_drawn_365d,
    share(last_of('prepayment'), last_of('prepayment') + balance(0)) AS prepaid_to_outstanding,
    share(last_of('prepayment'), limit_at(0)) AS freed_to_limit,
        share(count(*) FILTER (kind = 'prepayment' AND detail = 'full' AND age < days(180)),
        count_in('prepayment', 180)) AS full_settlement_share_180d,
        share(count(*) FILTER (kind = 'prepayment' AND detail = 'full' AND age < days(365)),
        count_in('prepayment', 365)) AS full_settlement_share_365d,
        share(sum(greatest(usual_term - hold, 0)) FILTER (age < days(365)),
        sum(usual_term) FILTER (age < days(365))) AS early_to_term_365d,
    variation(latest('prepayment', 6)) AS prepay_variation,
    since('prepayment') AS prepay_since_days,
    share(drawn_for('shopping'), sum_in('draw', 365)) AS purpose_shopping_share_365d,
    share(drawn_for('travel'), sum_in('draw', 365)) AS purpose_travel_share_365d,
    share(drawn_for('medical'), sum_in('draw', 365)) AS purpose_medical_share_365d,
    share(drawn_for('education'), sum_in('draw', 365)) AS purpose_education_share_365d,
    share(drawn_for('home'), sum_in('draw', 365)) AS purpose_home_share_365d,
    share(drawn_for('other'), sum_in('draw', 365)) AS purpose_other_share_365d,
        share(drawn_for('shopping'), sum_in('draw', 365)) ** 2 + share(drawn_for('travel'), sum_in('draw',
        365)) ** 2 + share(drawn_for('medical'), sum_in('draw', 365)) ** 2 + share(drawn_for('education'),
        sum_in('draw', 365)) ** 2 + share(drawn_for('home'), sum_in('draw', 365)) ** 2 +
        share(drawn_for('other'), sum_in('draw', 365)) ** 2 AS purpose_concentration_365d,
    avg(known - ts) FILTER (age < days(30)) / days(1) AS delivery_lag_mean_30d_days,
        arg_max(ts - prepayment_ts, seq) FILTER (kind = 'restored' AND prepayment_ts IS NOT NULL) / days(1)
        AS restoration_lag_last_days,
    share(sum_in('restored', 180), sum_in('prepayment', 180)) AS restored_to_prepaid_180d,
    coalesce(sum(value) FILTER (kind = 'outage' AND age < days(30)), 0) AS outage_minutes_30d,
    (any_value(as_of) - arg_min(ts, seq)) / days(1) AS tenure_days,
    count(*) FILTER (kind = 'draw') AS draw_count_ever,
    count_in('limit', 365) AS limit_change_count_365d,
    share(limit_at(0), limit_at(365)) AS limit_to_past_365d,
    since('limit') AS limit_since_days,
    limit_at(0) AS limit_amount,
    balance(0) AS outstanding,
    utilisation(0) AS utilisation_now,
        list_avg([utilisation(0), utilisation(30), utilisation(60), utilisation(90), utilisation(120),
        utilisation(150)]) AS utilisation_mean_6m,
        CASE WHEN utilisation(0) >= 0.9 THEN 1 ELSE 0 END + CASE WHEN utilisation(30) >= 0.9 THEN 1 ELSE 0
        END + CASE WHEN utilisation(60) >= 0.9 THEN 1 ELSE 0 END + CASE WHEN utilisation(90) >= 0.9 THEN 1
        ELSE 0 END + CASE WHEN utilisation(120) >= 0.9 THEN 1 ELSE 0 END + CASE WHEN utilisation(150) >= 0.9
        THEN 1 ELSE 0 END AS utilisation_high_months,
    utilisation(0) - utilisation(90) AS utilisation_change_90d,
        slope([utilisation(0), utilisation(30), utilisation(60), utilisation(90), utilisation(120),
        utilisation(150)]) AS utilisation_slope_6m,
        share(greatest(coalesce(max(running) FILTER (kind IN ('draw', 'repayment', 'prepayment',
        'charge_off') AND age < days(90)), 0), moved(90), 0), limit_at(0)) AS utilisation_peak_90d,
        share(greatest(coalesce(max(running) FILTER (kind IN ('draw', 'repayment', 'prepayment',
        'charge_off') AND age < days(365)), 0), moved(365), 0), limit_at(0)) AS utilisation_peak_365d
FROM settled
GROUP BY point
ORDER BY point;
