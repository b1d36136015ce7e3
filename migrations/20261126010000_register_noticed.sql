-- Facts that a notice of the register has told. A population file of that day or of an earlier one, or of no day, does
-- not change them: a notice is newer than the copy that the file is.
CREATE TABLE register_noticed (
    citizen_id uuid NOT NULL REFERENCES register_person ON DELETE CASCADE,
    fact       text NOT NULL CONSTRAINT register_noticed_fact CHECK (fact IN ('status', 'name', 'birth_date', 'sex')),
    day        date NOT NULL,     -- when it was told, or from when it holds if that is later (Vietnam)
    PRIMARY KEY (citizen_id, fact)
);

-- The day as of which a file was drawn from the register, where somebody said so.
ALTER TABLE population_import ADD COLUMN file_day date;
