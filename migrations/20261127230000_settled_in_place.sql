-- What a settled payment costs the database.

-- A bill and an attempt are written once and changed once, when the money comes. Where the page has room, the new version stays
-- beside the old one and none of their indexes is touched: four of a bill, two of an attempt. Bills that are issued together are
-- mostly paid together, so that half of a page is the room they need; without it the new versions take as much, elsewhere.
alter table bill set (fillfactor = 50);
alter table payment set (fillfactor = 50);

-- Names that no human orders are compared as bytes, not by a language's rules.
alter table inbox_message
    alter column sender type text collate "C",
    alter column biz_msg_idr type text collate "C";
alter table receipt alter column number type text collate "C";
