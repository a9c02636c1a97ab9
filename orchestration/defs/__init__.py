"""One module per stage of the flow, in its words; `automation` holds job, schedule and sensors."""
