-- One row for each product.
select
    product_id,
    manufacturer_id,
    department,
    brand,
    coalesce(product_category, 'UNKNOWN') as product_category,
    coalesce(product_type, 'UNKNOWN') as product_type
from {{ source('validated', 'products') }}
