"""What a person keeps: papermill runs, the campaign record and exports."""
