-- One row for each household: how recently, how often and for how much it bought (RFM), each scored from 1 to 5.
with bought as (

    select
        household_id,
        min(sold_on) as first_bought_on,
        max(sold_on) as last_bought_on,
        count(*) as frequency,
        sum(sales)::decimal(14, 2) as monetary_value
    from {{ ref('tickets') }}
    group by household_id

),

measured as (

    select
        *,
        date_diff('day', last_bought_on, max(last_bought_on) over ()) as recency_days
    from bought

),

scored as (

    -- The household id decides between equals, so that every run scores alike.
    select
        *,
        ntile(5) over (order by recency_days desc, household_id) as recency_score,
        ntile(5) over (order by frequency, household_id) as frequency_score,
        ntile(5) over (order by monetary_value, household_id) as monetary_score
    from measured

)

select
    scored.household_id,
    scored.first_bought_on,
    scored.last_bought_on,
    scored.recency_days,
    scored.frequency,
    scored.monetary_value,
    scored.recency_score,
    scored.frequency_score,
    scored.monetary_score,
    case
        when recency_score >= 4 and frequency_score >= 4 and monetary_score >= 4 then 'champion'
        when frequency_score >= 4 and recency_score <= 2 then 'at risk'
        when frequency_score >= 4 then 'loyal'
        when recency_score >= 4 then 'recent'
        when recency_score <= 2 and frequency_score <= 2 then 'lapsing'
        else 'occasional'
    end as segment,
    households.age_group,
    households.income_group,
    households.household_size
from scored
left join {{ ref('stg_households') }} as households
    on scored.household_id = households.household_id
order by 1
