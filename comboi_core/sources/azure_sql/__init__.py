"""Azure SQL and SQL Server as a source."""
