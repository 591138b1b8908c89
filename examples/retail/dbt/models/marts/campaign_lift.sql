-- What each campaign changed: the growth in spending of the households it was sent to, from an equally long time
-- before it to its own days, over the growth of all other households in the same days. A lift of 0.05 means that they grew
-- 5 % more than the others. It says nothing about cause: campaigns go to households that shop a lot already.
-- There is no lift for a campaign that began before there is enough history to compare with.
with days as (

    select
        min(sold_on) as first_day,
        max(sold_on) as last_day
    from {{ ref('tickets') }}

),

windows as (

    select
        campaigns.campaign_id,
        campaigns.campaign_type,
        campaigns.starts_on,
        campaigns.ends_on,
        date_diff('day', campaigns.starts_on, least(campaigns.ends_on, days.last_day)) + 1 as observed_days,
        least(campaigns.ends_on, days.last_day) as last_observed_on,
        days.first_day
    from {{ ref('stg_campaigns') }} as campaigns
    cross join days

),

daily as (

    select
        household_id,
        sold_on,
        sum(sales) as sales
    from {{ ref('tickets') }}
    group by household_id, sold_on

),

spending as (

    select
        windows.campaign_id,
        targets.household_id is not null as is_target,
        coalesce(sum(daily.sales) filter (where daily.sold_on >= windows.starts_on), 0) as during,
        coalesce(sum(daily.sales) filter (where daily.sold_on < windows.starts_on), 0) as before
    from windows
    inner join daily
        on
            daily.sold_on between windows.starts_on - windows.observed_days::int and windows.last_observed_on
    left join {{ ref('stg_campaign_households') }} as targets
        on
            targets.campaign_id = windows.campaign_id
            and targets.household_id = daily.household_id
    group by windows.campaign_id, targets.household_id is not null

),

compared as (

    select
        campaign_id,
        sum(during) filter (where is_target) as target_sales_during,
        sum(before) filter (where is_target) as target_sales_before,
        sum(during) filter (where not is_target) as other_sales_during,
        sum(before) filter (where not is_target) as other_sales_before
    from spending
    group by campaign_id

),

targets as (

    select
        campaign_id,
        count(*) as target_households
    from {{ ref('stg_campaign_households') }}
    group by campaign_id

),

redeemed as (

    select
        campaign_id,
        count(*) as redemptions,
        count(distinct household_id) as redeeming_households
    from {{ ref('stg_coupon_redemptions') }}
    group by campaign_id

),

offered as (

    select
        campaign_id,
        count(distinct product_id) as coupon_products
    from {{ ref('stg_coupons') }}
    group by campaign_id

)

select
    windows.campaign_id,
    windows.campaign_type,
    windows.starts_on,
    windows.ends_on,
    windows.observed_days,
    coalesce(targets.target_households, 0) as target_households,
    coalesce(offered.coupon_products, 0) as coupon_products,
    coalesce(redeemed.redeeming_households, 0) as redeeming_households,
    coalesce(redeemed.redemptions, 0) as redemptions,
    compared.target_sales_before::decimal(14, 2) as target_sales_before,
    compared.target_sales_during::decimal(14, 2) as target_sales_during,
    compared.other_sales_before::decimal(14, 2) as other_sales_before,
    compared.other_sales_during::decimal(14, 2) as other_sales_during,
    case
        when windows.starts_on - windows.observed_days::int >= windows.first_day
            then round(
                (compared.target_sales_during / nullif(compared.target_sales_before, 0))
                / nullif(compared.other_sales_during / nullif(compared.other_sales_before, 0), 0) - 1,
                4
            )
    end as lift
from windows
left join compared on windows.campaign_id = compared.campaign_id
left join targets on windows.campaign_id = targets.campaign_id
left join redeemed on windows.campaign_id = redeemed.campaign_id
left join offered on windows.campaign_id = offered.campaign_id
order by 1
