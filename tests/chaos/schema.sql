-- What the application has, what handlers leave behind, and what is to be measured. Nothing is unique
-- in effects: a doubled effect must be seen, not refused.
CREATE SCHEMA chaos;

-- Inserted by the producer in the transaction that inserts the job.
CREATE TABLE chaos.business (producer int, seq bigint, job_id bigint, kind text, PRIMARY KEY (producer, seq));

CREATE TABLE chaos.effects (
  execution uuid        NOT NULL DEFAULT gen_random_uuid(),
  job_id    bigint      NOT NULL,
  producer  int         NOT NULL,
  seq       bigint      NOT NULL,
  attempt   int         NOT NULL,
  backend   int         NOT NULL DEFAULT pg_backend_pid(),
  at        timestamptz NOT NULL DEFAULT clock_timestamp());

-- Jobs that a processor held when something was done to it, and when.
CREATE TABLE chaos.held (job_id bigint, at timestamptz, round int);

-- {"p": producer, "s": seq, "fail": attempts that fail}
CREATE FUNCTION chaos.effect(payload jsonb, job_id bigint, attempt integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO chaos.effects (job_id, producer, seq, attempt)
  VALUES (effect.job_id, (payload ->> 'p')::int, (payload ->> 's')::bigint, effect.attempt);
  IF attempt <= (payload ->> 'fail')::int THEN
    RAISE EXCEPTION 'attempt % fails, as it was told', attempt;
  END IF;
END $$;

-- One transaction's worth of business rows, each with its job. A producer gets ids, it does not choose them.
CREATE FUNCTION chaos.place(producer int, seqs bigint[], kinds text[], payloads text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  given record;
  job bigint;
BEGIN
  FOR given IN SELECT * FROM unnest(seqs, kinds, payloads) AS u (seq, kind, payload) LOOP
    INSERT INTO outbox.jobs (kind, payload, max_attempts) VALUES (given.kind, given.payload::jsonb, 100) RETURNING id INTO job;
    INSERT INTO chaos.business VALUES (place.producer, given.seq, job, given.kind);
  END LOOP;
END $$;
