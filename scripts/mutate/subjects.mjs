/**
 * What is mutated, and which tests are run against each mutant: those that are meant to hold that file, none of which
 * waits, starts a process or needs a network. Paths are from src/ and test/ of the library. The first test that fails
 * ends a run, so the quick ones stand first.
 */
const v1 = (...names) => names.map((name) => `wire/v1/${name}.test.ts`)
const wire = (...names) => names.map((name) => `wire/${name}.test.ts`)
const store = (...names) => names.map((name) => `store/${name}.test.ts`)
const STORE = store('store', 'retention', 'model')

export const subjects = {
  'wire/v1/session': v1('session'),
  'wire/v1/retained': v1('retained'),
  'wire/v1/resumption': v1('resumption'),
  'wire/v1/frame': v1('frame', 'vectors', 'bodies'),
  'wire/v1/lanes': v1('lanes'),
  'wire/v1/lane-table': v1('lane-table'),
  'wire/v1/queue': v1('queue', 'lanes'),
  'wire/v1/marks': v1('marks', 'lanes'),
  'wire/v1/bulk': v1('bulk', 'lanes'),
  'wire/v1/arrivals': v1('arrivals', 'credit'),
  'wire/v1/bodies': v1('bodies', 'vectors'),
  'wire/v1/hello': v1('hello', 'vectors'),
  'wire/v1/hello-bytes': v1('hello', 'vectors'),
  'wire/v1/reader': v1('bodies', 'hello', 'vectors'),
  'wire/length-header': wire('lengths', 'framing'),
  'wire/length-prefixed': wire('lengths', 'framing'),
  'wire/lines': wire('framing'),
  'wire/held': wire('lengths', 'framing'),
  'wire/batch': wire('batch', 'framing'),
  'wire/codec': wire('codec', 'foreign'),
  'wire/plain-data': wire('codec', 'foreign'),
  'store/record': store('record'),
  'store/head': store('record'),
  'store/ledger': store('record', 'store'),
  'store/payloads': store('record'),
  'store/recover': [...STORE, ...store('damage')],
  'store/segments': STORE,
  'store/compact': STORE,
  'store/expiry': STORE,
}
