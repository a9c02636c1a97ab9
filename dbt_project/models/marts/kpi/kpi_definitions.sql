with

-- family: whose files must be there for a day to be complete. aggregation: how value follows from its parts. A flow adds
-- up over days; a state is what stands at the end of one.
listed as (

    select *
    from (
        values
        ('orders', 'Orders', '注文数', 'count', 'sum', 'flow', 'orders', 'up',
            'Counted orders placed on the day; test, cancelled and voided orders are left out.'),
        ('gross_revenue', 'Gross revenue', '総売上', 'money', 'sum', 'flow', 'orders', 'up',
            'Totals of the orders placed on the day, tax and shipping included, before refunds.'),
        ('refunds', 'Refunds', '返金額', 'money', 'sum', 'flow', 'orders', 'down',
            'Refunds of counted orders, on the day of the refund, or on the day of the order where no date is known.'),
        ('net_revenue', 'Net revenue', '純売上', 'money', 'sum', 'flow', 'orders', 'up',
            'Gross revenue of the day minus the refunds of the day.'),
        ('new_customers', 'New customers', '新規顧客数', 'count', 'sum', 'flow', 'orders', 'up',
            'Customers whose first counted order was placed on the day.'),
        ('active_customers_90d', 'Active customers (90 days)', 'アクティブ顧客数(90日)', 'count', 'sum', 'state', 'orders', 'up',
            'Customers with a counted order on the day or in the 89 days before it.'),
        ('sessions', 'Sessions', 'セッション数', 'count', 'sum', 'flow', 'web', 'up',
            'Web and app sessions that began on the day.'),
        ('interactions_opened', 'Contacts opened', '問い合わせ件数', 'count', 'sum', 'flow', 'support', 'down',
            'Tickets, cases and calls opened on the day; legs of a transferred call count once.'),
        ('open_interactions', 'Open contacts', '未解決の問い合わせ', 'count', 'sum', 'state', 'support', 'down',
            'Contacts opened by the end of the day and not resolved by then.'),
        ('first_response_median_minutes', 'First response (median minutes)', '初回応答時間(中央値・分)', 'minutes', 'median', 'flow',
            'support', 'down', 'Median of calendar minutes to the first response, of contacts opened on the day.'),
        ('sla_met_share', 'Answered within target', '目標時間内の応答率', 'share', 'ratio', 'flow', 'support', 'up',
            'Share of contacts opened on the day whose first response came within the target of their priority.'),
        ('abandonment_share', 'Abandoned calls', '放棄呼率', 'share', 'ratio', 'flow', 'support', 'down',
            'Share of calls of the day whose caller left before an agent answered.'),
        ('first_response_mean_minutes', 'First response (mean minutes)', '初回応答時間(平均・分)', 'minutes', 'ratio', 'flow',
            'support', 'down', 'Mean of calendar minutes to the first response, of contacts opened on the day.'),
        ('resolution_mean_minutes', 'Resolution (mean minutes)', '解決時間(平均・分)', 'minutes', 'ratio', 'flow',
            'support', 'down', 'Mean of calendar minutes to the final solution, of solved contacts opened on the day.'),
        ('reopen_share', 'Reopened', '再オープン率', 'share', 'ratio', 'flow', 'support', 'down',
            'Share of the contacts opened on the day that were reopened, of those that were solved at least once.'),
        ('fcr_share', 'First-contact resolution', '初回解決率', 'share', 'ratio', 'flow', 'support', 'up',
            'Share of contacts opened on the day with no reopening and no new one on the topic within 7 days.'),
        ('fcr_share_proxy', 'First-contact resolution (proxy)', '初回解決率(代用)', 'share', 'ratio', 'flow', 'support', 'up',
            'Share of contacts opened on the day with no reopening and no new one on anything within 7 days.'),
        ('unanswered_share', 'Unanswered calls', '不応答呼率', 'share', 'ratio', 'flow', 'support', 'down',
            'Share of calls of the day that ended before an agent answered, in a queue or before it.'),
        ('handle_seconds_mean', 'Handle time (mean seconds)', '処理時間(平均・秒)', 'seconds', 'ratio', 'flow', 'support',
            'down', 'Mean of talk, hold and after-call work, all legs of a call together, of contacts of the day.'),
        ('acw_seconds_mean', 'After-call work (mean seconds)', '後処理時間(平均・秒)', 'seconds', 'ratio', 'flow', 'support',
            'down', 'Mean of after-call work, all legs of a call together, of contacts of the day.'),
        ('csat_avg', 'CSAT (mean)', '顧客満足度(平均)', 'score', 'ratio', 'flow', 'support', 'up',
            'Mean of satisfaction answers, 1 to 5: contacts by their opening day, surveys by the day of the answer.'),
        ('nps_relational_28d', 'NPS, relational (28 days)', 'NPS・関係性調査(28日)', 'nps', 'nps', 'state', 'survey', 'up',
            'Promoters minus detractors in percent, latest relational answer per customer in 28 days.'),
        ('nps_transactional_28d', 'NPS, transactional (28 days)', 'NPS・取引後調査(28日)', 'nps', 'nps', 'state', 'survey', 'up',
            'Promoters minus detractors in percent, latest transactional answer per customer in 28 days.'),
        ('high_risk_share', 'Customers at high churn risk', '離反リスクの高い顧客の割合', 'share', 'ratio', 'state', 'orders', 'down',
            'Share of scored customers whose churn probability lies in the band high.'),
        ('value_at_risk', 'Value at risk', 'リスク金額', 'money', 'sum', 'state', 'orders', 'down',
            'Probability times expected value, summed over the customers at high risk.')
    ) as kpis (kpi, name_en, name_ja, unit, aggregation, course, family, better, definition)

),

final as (

    select
        cast(kpi as varchar) as kpi,
        cast(name_en as varchar) as name_en,
        cast(name_ja as varchar) as name_ja,
        cast(unit as varchar) as unit,
        cast(aggregation as varchar) as aggregation,
        course = 'state' as is_state,
        cast(family as varchar) as family,
        cast(better as varchar) as better,
        cast(definition as varchar) as definition
    from listed

)

select * from final
