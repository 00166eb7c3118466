"""Reading against its bounds and against pandas."""
