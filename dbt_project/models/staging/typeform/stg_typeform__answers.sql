{{ survey_answers('stg_typeform__responses') }}
