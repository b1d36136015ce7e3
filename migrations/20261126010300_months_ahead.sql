-- Makes the partition of the month that `day` belongs to; harmless where it exists. Where rows of that month lie in the
-- partition of everything later, they stay there: that month has begun without us.
CREATE FUNCTION open_month(parent text, day date) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    first timestamptz := date_trunc('month', day)::timestamp AT TIME ZONE 'UTC';
    next  timestamptz := (date_trunc('month', day) + INTERVAL '1 month')::timestamp AT TIME ZONE 'UTC';
    month text        := parent || to_char(day, '_YYYYMM');
    begun boolean;
BEGIN
    IF to_regclass(month) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE at >= $1 AND at < $2)', parent || '_later')
        INTO begun USING first, next;
    IF begun THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', month, parent, first, next);
    RETURN true;
END $$;
