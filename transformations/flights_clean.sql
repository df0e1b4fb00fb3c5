-- One row per flight: what was planned, what happened, on one time line.
--
-- The source keeps the day in three columns and the times as hhmm on New York's clock: 2359 is followed by 2400 and 1, a
-- late evening's flight leaves on the next day, and one hour of November comes twice. `time_hour` is the instant of the
-- planned hour, so the planned departure is that plus the minutes, and the actual one is the planned one plus the delay:
-- no clock arithmetic, no midnight. The check flights_on_the_clock proves that both ways of telling the time agree.
SELECT
    flight_id,
    make_date(year, month, day) AS flight_date,
    carrier,
    flight AS flight_number,
    tailnum,
    origin,
    dest,
    CASE
        WHEN dep_time IS NULL THEN 'cancelled'
        WHEN arr_delay IS NULL THEN 'diverted'  -- left, but did not arrive where it was meant to
        ELSE 'flown'
    END AS status,
    time_hour AS scheduled_hour,
    time_hour + to_minutes(minute) AS scheduled_departure,
    time_hour + to_minutes(minute + dep_delay) AS actual_departure,
    dep_time AS reported_departure,
    dep_delay AS departure_delay,
    arr_delay AS arrival_delay,
    air_time,
    distance,
    updated_at
FROM flights
