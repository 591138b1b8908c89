-- One row for each coupon that a household handed in.
select
    household_id,
    coupon_upc,
    campaign_id,
    redemption_date::date as redeemed_on
from {{ source('validated', 'coupon_redemptions') }}
