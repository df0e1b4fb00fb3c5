-- How many persons, not records, live in each state. The persons are those that Splink found.
SELECT
    coalesce(state, 'unknown') AS state,
    count(*) AS persons,
    count(*) FILTER (WHERE born IS NULL) AS without_date_of_birth
FROM customers
GROUP BY ALL
