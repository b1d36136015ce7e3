-- For whom somebody may stand: the children and wards of the holder of a number, so that a sign-in can offer them by
-- name. The records themselves stay sealed; here stand keyed hashes and identifiers only.
CREATE TABLE register_kin (
    kin_hash   bytea NOT NULL CONSTRAINT register_kin_length CHECK (length(kin_hash) = 32), -- of the parent's or guardian's number
    citizen_id uuid  NOT NULL REFERENCES register_person ON DELETE CASCADE,                 -- the child or ward; gone with its record
    PRIMARY KEY (kin_hash, citizen_id)
);
CREATE INDEX register_kin_of ON register_kin (citizen_id);
-- A parent whose number changed is still named by the old one on a child's record.
CREATE INDEX register_former_number_of ON register_former_number (citizen_id);
