/** What the context asks of a driver: the last good data of each section. */
export type LastGoodStore = {}
