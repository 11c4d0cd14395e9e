/** The index of the used cap begins with the end of the window, so that users in windows that have ended are never read. */
export const capIndex: string = `
DROP INDEX $S.users_by_cap;
CREATE INDEX users_by_cap ON $S.users (namespace, cap_used_until, cap_used, id) WHERE cap_used > 0;
`
