-- Each flight with the weather at its airport in the hour it was to leave.
--
-- A left join: the stations have gaps, and a flight does not vanish because nobody looked at the sky.
SELECT
    flights.flight_id,
    flights.carrier,
    flights.origin,
    flights.status,
    flights.scheduled_departure,
    flights.departure_delay,
    flights.arrival_delay,
    coalesce(weather.condition, 'unknown') AS condition,
    weather.temperature,
    weather.wind_speed,
    weather.precipitation,
    weather.visibility
FROM flights
LEFT JOIN weather
    ON weather.origin = flights.origin
    AND weather.observed_hour = flights.scheduled_hour
