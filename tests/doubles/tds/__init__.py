"""A double of SQL Server at the wire.

It stands in for SQL Server and Azure SQL, which cannot run where the tests run. Microsoft's own driver connects to it,
logs in (with TLS, with a password or an Entra ID token), sends comboi's T-SQL and reads typed rows: TDS 7.4, one thread
per connection. Behind it is a DuckDB that sqlglot translates for. It knows the T-SQL that comboi and these tests send
and refuses everything else; what it says of SQL Server's behaviour is what the documentation says, no more.

- `wire`: packets, TLS, login, tokens
- `types`: T-SQL's types and their bytes
- `moments`: dates and times to 100 ns
- `dialect`: T-SQL into DuckDB's SQL, with the T-SQL type of every expression
- `functions`: T-SQL's functions as DuckDB's
- `database`: tables, row versions, transactions
- `catalog`: the views of the schema `sys`
- `server`: the listener, the log, and faults on demand
- `remote`: all of it in a process of its own
"""
