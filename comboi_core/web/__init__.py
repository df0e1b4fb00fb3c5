"""What HTTP answers, independent of who serves it."""
