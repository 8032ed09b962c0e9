"""Disease per plot and date, from photographs of plants."""
