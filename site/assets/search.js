// The search of the site. The index is loaded when the field is used for the first time.
import MiniSearch from './minisearch.js'

const MAX_RESULTS = 12
const { root } = document.body.dataset
const input = document.querySelector('search input')
const list = document.querySelector('search ol')
let index

async function loadIndex() {
  const response = await fetch(`${root}assets/search.json`)
  return MiniSearch.loadJSON(await response.text(), {
    fields: ['title', 'heading', 'text'],
    storeFields: ['title', 'heading', 'url'],
  })
}

async function show() {
  index ??= loadIndex()
  const words = input.value.trim()
  const options = { prefix: true, fuzzy: 0.1, boost: { title: 3, heading: 2 }, combineWith: 'AND' }
  const results = words === '' ? [] : (await index).search(words, options).slice(0, MAX_RESULTS)
  if (words !== input.value.trim()) return
  list.replaceChildren(...(results.length === 0 ? [toText('Nothing found.')] : results.map(toLink)))
  list.hidden = words === ''
}

function toText(text) {
  const item = document.createElement('li')
  item.append(Object.assign(document.createElement('span'), { textContent: text }))
  return item
}

function toLink({ title, heading, url }) {
  const item = document.createElement('li')
  const link = Object.assign(document.createElement('a'), { href: `${root}${url}`, textContent: heading })
  if (heading !== title) link.append(Object.assign(document.createElement('small'), { textContent: title }))
  item.append(link)
  return item
}

input.addEventListener('focus', show)
input.addEventListener('input', show)
document.addEventListener('keydown', (event) => {
  if (event.key === '/' && document.activeElement !== input) {
    event.preventDefault()
    input.focus()
  } else if (event.key === 'Escape') {
    input.value = ''
    void show()
  } else if ((event.key === 'ArrowDown' || event.key === 'ArrowUp') && !list.hidden) {
    const links = [...list.querySelectorAll('a')]
    const next = links.indexOf(document.activeElement) + (event.key === 'ArrowDown' ? 1 : -1)
    event.preventDefault()
    ;(links[next] ?? input).focus()
  }
})
document.addEventListener('click', ({ target }) => {
  if (!target.closest('search')) list.hidden = true
})
