-- One row per airport and hour: the weather in words, beside the measurements.
--
-- Inches, miles, miles per hour, degrees Fahrenheit, as the stations report them. A condition is the worst that applies; a
-- wind that no instrument survives (over 200 mph) is a broken instrument, not a storm, and a check warns of it.
SELECT
    origin,
    time_hour AS observed_hour,
    CASE
        WHEN precip > 0 AND temp <= 32 THEN 'snow'
        WHEN precip > 0 THEN 'rain'
        WHEN visib < 3 THEN 'fog'
        WHEN wind_speed BETWEEN 25 AND 200 THEN 'wind'
        ELSE 'fair'
    END AS condition,
    temp AS temperature,
    wind_speed,
    wind_gust,
    precip AS precipitation,
    visib AS visibility,
    pressure
FROM weather
