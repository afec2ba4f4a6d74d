"""Pure decisions: state and time in, verdict and reason out. Nothing here waits, logs or looks at a clock."""
