/**
 * What is mutated, and which tests are run against each mutant: those that are meant to hold that file, none of which
 * waits, starts a process or needs a network. Paths are from src/ and test/ of the library. The first test that fails
 * ends a run, so the quick ones stand first.
 */
const v1 = (...names) => names.map((name) => `wire/v1/${name}.test.ts`)
const wire = (...names) => names.map((name) => `wire/${name}.test.ts`)
const msgpack = (...names) => names.map((name) => `wire/msgpack/${name}.test.ts`)
const durable = (...names) => names.map((name) => `sock/durable/${name}.test.ts`)
const store = (...names) => names.map((name) => `store/${name}.test.ts`)
/** What a store promises, seen from outside. */
const SEEN = ['store', 'retention', 'model']

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
  'wire/v1/resent': v1('marks'),
  'wire/length-header': wire('lengths', 'framing'),
  'wire/length-prefixed': wire('lengths', 'framing'),
  'wire/lines': wire('framing'),
  'wire/held': wire('held', 'framing'),
  'wire/batch': wire('batch'),
  'wire/codec': wire('codec'),
  'wire/plain-data': wire('plain-data', 'codec'),
  'wire/foreign': wire('foreign'),
  'wire/msgpack/msgpack': msgpack('msgpack', 'vectors', 'limits'),
  'wire/msgpack/writer': msgpack('msgpack', 'vectors', 'limits'),
  'wire/msgpack/put': msgpack('edges', 'msgpack', 'vectors', 'limits'),
  'wire/msgpack/time': msgpack('edges', 'msgpack', 'vectors'),
  'wire/msgpack/slab': msgpack('slab'),
  'wire/msgpack/reader': msgpack('msgpack', 'vectors', 'limits'),
  'wire/msgpack/text': msgpack('text', 'limits'),
  'store/record': store('record'),
  'store/head': store('record'),
  'store/ledger': store('record', 'store'),
  'store/payloads': store('record'),
  'store/recover': store('recover', 'store', 'model'),
  'store/segments': store('segments', ...SEEN, 'faults'),
  'store/compact': store('compact', 'model'),
  'store/expiry': store('expiry', 'retention'),
  'store/log': store('log', 'log-full', ...SEEN, 'faults'),
  'store/store': store('bounds', 'oldest', ...SEEN),
  'store/jobs': store('jobs', 'store', 'model'),
  'store/read': store('read', 'store'),
  'store/inspect': store('inspect', 'store'),
  'store/options': store('options', 'retention'),
  'store/open': store('open', 'store', 'faults'),
  'sock/outbox': ['sock/outbox.test.ts'],
  'sock/durable/envelope': durable('envelope'),
  'sock/durable/options': durable('options'),
  'sock/durable/intake': durable('intake', 'intake-bounds'),
}
