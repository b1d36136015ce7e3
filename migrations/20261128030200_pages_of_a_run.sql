-- Two runs may fetch the same day at once: the loop, a system, an officer, the command line. Each keeps pages of its own, so that
-- none empties or reads those of another. A run that died leaves pages that nobody reads; they are forgotten after a day.
delete from statement_page;
alter table statement_page drop constraint statement_page_once;
alter table statement_page add column run uuid not null;
alter table statement_page add column begun_at timestamptz not null;
alter table statement_page add constraint statement_page_once primary key (run, number);
comment on column statement_page.run is 'the fetching that the page belongs to';
comment on column statement_page.begun_at is 'when that fetching began';
