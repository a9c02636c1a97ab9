{{ survey_answers('stg_medallia__feedback') }}
