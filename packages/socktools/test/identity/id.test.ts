import assert from 'node:assert/strict'
import { createPublicKey, verify, X509Certificate } from 'node:crypto'
import { describe, test } from 'node:test'
import { certificate, certificateBody } from '../../src/identity/der.ts'
import { idOf, isId, keyOfId } from '../../src/identity/id.ts'
import { Identity, isSignedBy } from '../../src/identity/identity.ts'

const ZEROS = 'sock1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqgf6g9f'
const COUNTED = 'sock1qqqsyqcyq5rqwzqfpg9scrgwpugpzysnzs23v9ccrydpk8qarc0spa329s'
const PADDED = 'sock1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqp4lwacm'
const DIGITS = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'
const key = Uint8Array.from({ length: 32 }, (_, i) => (i * 37 + 11) & 0xff)

describe('the text of an id', () => {
  test('goes there and back, for every byte', () => {
    for (let i = 0; i < 256; i++) {
      const one = Uint8Array.from({ length: 32 }, (_, at) => (i * (at + 1) + at * 7) & 0xff)
      assert.deepEqual(keyOfId(idOf(one)), one)
    }
    for (const byte of [0, 255])
      assert.deepEqual(keyOfId(idOf(new Uint8Array(32).fill(byte))), new Uint8Array(32).fill(byte))
  })

  test('is Bech32m: as an independent encoder of it writes it', () => {
    // From the reference implementation of BIP 350, with the prefix "sock".
    assert.equal(idOf(new Uint8Array(32)), ZEROS)
    assert.equal(idOf(Uint8Array.from({ length: 32 }, (_, i) => i)), COUNTED)
  })

  test('one wrong character, or two that changed places, is found wherever it is', () => {
    const id = idOf(key)
    for (let at = 5; at < id.length; at++) {
      for (const digit of DIGITS) {
        const other = id.slice(0, at) + digit + id.slice(at + 1)
        assert.equal(isId(other), other === id, other)
      }
      const [a = '', b = ''] = [id[at], id[at + 1]]
      const swapped = id.slice(0, at) + b + a + id.slice(at + 2)
      assert.equal(isId(swapped), swapped === id)
    }
  })

  test('there is one form: no upper case, no spaces, no bits that stand for nothing', () => {
    const id = idOf(key)
    for (const text of [
      id.toUpperCase(),
      ` ${id}`,
      `${id} `,
      id.slice(1),
      `${id}q`,
      id.replace('sock1', 'lock1'),
      '',
      'sock1',
      'x'.repeat(63),
    ])
      assert.throws(() => keyOfId(text), { code: 'BAD_ID' }, text)
    // The last digit of the key has four bits that must be zero; the checksum of these is right.
    assert.throws(() => keyOfId(PADDED), { code: 'BAD_ID', message: /canonical/ })
    assert.throws(() => keyOfId(7 as never), { code: 'BAD_ID' })
    assert.throws(() => idOf(new Uint8Array(31)), { code: 'BAD_ID' })
  })
})

describe('the certificate of an identity', () => {
  test('is small, always the same but for key and signature, signs itself, and reads as what it is', () => {
    const [one, other] = [Identity.generate(), Identity.generate()]
    for (const identity of [one, other]) {
      const der = Identity.tlsOf(identity).certificate
      const x509 = new X509Certificate(der)
      assert.ok(der.length < 256, `${der.length} bytes`)
      assert.equal(x509.publicKey.asymmetricKeyType, 'ed25519')
      assert.ok(x509.verify(x509.publicKey) && x509.checkIssued(x509))
      assert.equal(x509.subject, 'CN=socktools')
      assert.deepEqual(
        [x509.validFrom, x509.validTo],
        ['Jan  1 00:00:00 1970 GMT', 'Dec 31 23:59:59 9999 GMT'],
      )
      assert.deepEqual(keyOfId(identity.id), identity.publicKey)
    }
    const [a, b] = [one, other].map(({ publicKey }) =>
      Buffer.from(certificateBody(publicKey))
        .toString('hex')
        .replace(Buffer.from(publicKey).toString('hex'), ''),
    )
    assert.equal(a, b)
    assert.equal(
      certificate(certificateBody(key), new Uint8Array(64)).length,
      Identity.tlsOf(one).certificate.length,
    )
  })

  test('what an identity signs is checked by its id', () => {
    const [one, other] = [Identity.generate(), Identity.generate()]
    const bytes = Buffer.from('so be it')
    const signature = one.sign(bytes)
    assert.equal(isSignedBy(one.id, bytes, signature), true)
    assert.equal(verify(null, bytes, createPublicKey(one.toPem()), signature), true)
    assert.equal(isSignedBy(other.id, bytes, signature), false)
    assert.equal(isSignedBy(one.id, Buffer.from('so be it!'), signature), false)
    assert.equal(isSignedBy(one.id, bytes, signature.subarray(1)), false)
  })

  test('nothing of the private key is in what a log would show', () => {
    const identity = Identity.generate()
    assert.deepEqual(
      [String(identity), JSON.stringify({ identity })],
      [identity.id, `{"identity":"${identity.id}"}`],
    )
  })
})
