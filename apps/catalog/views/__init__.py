"""Pages of the inventory, the policies and the imports. What also shows findings stands in `apps.desk`."""
