{{ survey_answers('stg_qualtrics__responses') }}
