"""The SQL back end: rule trees to statements (`query.hits_query`)."""
