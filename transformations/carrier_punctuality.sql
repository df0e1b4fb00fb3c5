-- How punctual each carrier was in each month.
--
-- On time as the Department of Transportation counts: arrived less than 15 minutes late, out of all flights on the
-- timetable, so that cancelling a flight does not improve the figure. The month is New York's.
SELECT
    flights.carrier,
    airlines.name AS carrier_name,
    date_trunc('month', flights.flight_date)::DATE AS month,
    count(*) AS flights,
    count(*) FILTER (WHERE status = 'flown') AS flown,
    count(*) FILTER (WHERE status = 'diverted') AS diverted,
    count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
    count(*) FILTER (WHERE arrival_delay < 15) AS on_time,
    count(*) FILTER (WHERE arrival_delay < 15) / count(*) AS on_time_share,
    avg(departure_delay) AS avg_departure_delay,
    avg(arrival_delay) AS avg_arrival_delay,
    quantile_cont(arrival_delay, 0.9) AS p90_arrival_delay
FROM flights
LEFT JOIN airlines ON airlines.carrier = flights.carrier
GROUP BY ALL
