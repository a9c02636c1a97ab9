{{ canonical_union('experiment_exposure') }}
