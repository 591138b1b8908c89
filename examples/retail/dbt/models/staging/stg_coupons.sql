-- One row for each product that a campaign's coupon is good for.
select
    coupon_upc,
    product_id,
    campaign_id
from {{ source('validated', 'coupons') }}
