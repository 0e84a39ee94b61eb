"""What is asked for: suites, experiments, searches, trials and jobs."""
