-- What the weather does to departures.
SELECT
    condition,
    count(*) AS flights,
    count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
    count(*) FILTER (WHERE status = 'cancelled') / count(*) AS cancelled_share,
    avg(departure_delay) AS avg_departure_delay,
    -- of those that left at all
    count(*) FILTER (WHERE departure_delay >= 60) / nullif(count(departure_delay), 0) AS hour_late_share
FROM flights
GROUP BY condition
