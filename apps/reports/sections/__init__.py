"""What a report tells, table by table, each as a query that is walked by key."""
