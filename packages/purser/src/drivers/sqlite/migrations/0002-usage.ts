/**
 * What was used of the limits becomes one value that a commit replaces, instead of single counters that it patches: one
 * JSON object of amounts by counter, then by window. The keys of the old object are `["counter","window"]`.
 */
export const usage = `
ALTER TABLE users ADD COLUMN usage TEXT;

UPDATE users SET usage = (
  SELECT json_group_object(counter, json(windows)) FROM (
    SELECT json_extract(key, '$[0]') AS counter, json_group_object(json_extract(key, '$[1]'), value) AS windows
    FROM json_each(users.counters) GROUP BY counter))
WHERE counters <> '{}';

ALTER TABLE users DROP COLUMN counters;
`
