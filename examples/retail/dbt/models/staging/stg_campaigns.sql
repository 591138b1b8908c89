-- One row for each campaign, with the days it ran.
select
    campaign_id,
    campaign_type,
    start_date::date as starts_on,
    end_date::date as ends_on
from {{ source('validated', 'campaign_descriptions') }}
