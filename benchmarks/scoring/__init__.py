"""Speed, memory and agreement of scoring."""
