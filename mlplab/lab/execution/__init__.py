"""Training of jobs, on processes of this machine or a Dask cluster."""
