"""What a suite asks for: experiments, searches, trials and jobs."""
