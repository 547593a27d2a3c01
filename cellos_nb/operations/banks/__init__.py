"""Cell banks: master and working banks simulated, planned as tasks, and their vials accounted for."""
