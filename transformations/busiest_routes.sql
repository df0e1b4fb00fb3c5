-- The fifty routes with the most flights on the timetable, and the seats that flew on them.
--
-- Seats are known for about five flights in six (the register of aircraft has gaps), so they are counted together with the
-- flights that they belong to. Equal numbers of flights rank by name: the list is the same each time.
SELECT
    row_number() OVER (ORDER BY count(*) DESC, flights.origin, flights.dest) AS rank,
    flights.origin,
    flights.dest,
    airports.name AS dest_name,
    count(*) AS flights,
    count(*) FILTER (WHERE status = 'flown') AS flown,
    count(DISTINCT flights.carrier) AS carriers,
    count(planes.seats) FILTER (WHERE status = 'flown') AS flown_with_known_seats,
    sum(planes.seats) FILTER (WHERE status = 'flown')::BIGINT AS seats,
    avg(flights.air_time) AS avg_air_time
FROM flights
LEFT JOIN airports ON airports.faa = flights.dest
LEFT JOIN planes ON planes.tailnum = flights.tailnum
GROUP BY flights.origin, flights.dest, airports.name
QUALIFY rank <= 50
