"""The step of a run that lays scores, classes, DNA alterations and outcome side by side."""
