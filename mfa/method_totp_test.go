package mfa_test

import (
	"context"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	otplib "github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// totpStore keeps keys in memory, as their JSON: what is not kept is lost.
type totpStore struct {
	mu   sync.Mutex
	keys map[string]string
	// lookErr and useErr fail a call; keepErr fails one when all is done.
	lookErr, useErr, keepErr error
	uses                     int
}

func (s *totpStore) get(login string) (key mfa.TOTPKey, err error) {
	raw, found := s.keys[strings.ToLower(login)]
	if !found {
		return mfa.TOTPKey{}, mfa.ErrNoKey
	}
	return key, json.Unmarshal([]byte(raw), &key)
}

func (s *totpStore) put(login string, key mfa.TOTPKey) {
	raw, err := json.Marshal(key)
	if err != nil {
		panic(err)
	}
	if s.keys == nil {
		s.keys = map[string]string{}
	}
	s.keys[strings.ToLower(login)] = string(raw)
}

func (s *totpStore) Look(_ context.Context, login string) (mfa.TOTPKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lookErr != nil {
		return mfa.TOTPKey{}, s.lookErr
	}
	return s.get(login)
}

func (s *totpStore) Use(_ context.Context, login string, f func(*mfa.TOTPKey) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uses++
	key, err := s.get(login)
	if err = errors.Join(s.useErr, err); err != nil {
		return err
	}
	err = f(&key)
	s.put(login, key)
	return errors.Join(s.keepErr, err)
}

// totpMount is a mount that holds mia's key.
type totpMount struct {
	*mfa.TOTPMethod
	store *totpStore
	clock *fakeClock
	key   mfa.TOTPKey
}

func newTOTPMount(key mfa.TOTPKey) *totpMount {
	m := &totpMount{store: &totpStore{}, clock: newClock(), key: key}
	m.store.put(login, key)
	m.TOTPMethod = &mfa.TOTPMethod{Keys: m.store, Skew: 1, MaxWrong: 3, Now: m.clock.Now}
	return m
}

// usual is a key as most are.
func usual() mfa.TOTPKey {
	return mfa.TOTPKey{Secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", Period: 30 * time.Second, Digits: 6, Algorithm: "SHA1"}
}

// code is that of the time step which is so many after the present one.
func (m *totpMount) code(t testing.TB, later int) string {
	t.Helper()
	algorithm := map[string]otplib.Algorithm{"SHA1": otplib.AlgorithmSHA1, "SHA256": otplib.AlgorithmSHA256, "SHA512": otplib.AlgorithmSHA512}[m.key.Algorithm]
	at := m.clock.Now().Add(time.Duration(later) * m.key.Period)
	code, err := totp.GenerateCodeCustom(m.key.Secret, at, totp.ValidateOpts{
		Period: uint(m.key.Period / time.Second), Digits: otplib.Digits(m.key.Digits), Algorithm: algorithm,
	})
	require.NoError(t, err)
	return code
}

// wrong is a passcode that is right at no time near the present one.
func (m *totpMount) wrong(t testing.TB) string {
	t.Helper()
	for n := 0; ; n++ {
		wrong := fmt.Sprintf("%0*d", m.key.Digits, n)
		near := false
		for later := -3; later <= 3; later++ {
			near = near || m.code(t, later) == wrong
		}
		if !near {
			return wrong
		}
	}
}

func (m *totpMount) try(t testing.TB, passCode string) error {
	t.Helper()
	attempt, err := m.Prepare(t.Context(), mfa.Subject{Login: login, Name: "mia"}, mfa.Credential{PassCode: passCode})
	if err != nil {
		assert.Nil(t, attempt.Verify)
		return err
	}
	assert.Equal(t, []any{false, "", false}, []any{attempt.Passed, attempt.Rings, attempt.Sends})
	return attempt.Verify(t.Context(), mfa.Exchange{})
}

func (m *totpMount) stored(t testing.TB) mfa.TOTPKey {
	t.Helper()
	key, err := m.store.get(login)
	require.NoError(t, err)
	return key
}

func assertBarred(t *testing.T, wait time.Duration, err error) {
	t.Helper()
	var barred *mfa.PassCodesBarredError
	if assert.ErrorAs(t, err, &barred) {
		assert.Equal(t, wait, barred.Wait)
		assert.True(t, mfa.Retryable(err))
	}
}

// TestTOTPVectors: RFC 6238, appendix B.
func TestTOTPVectors(t *testing.T) {
	t.Parallel()
	seed := map[string]string{
		"SHA1":   "12345678901234567890",
		"SHA256": "12345678901234567890123456789012",
		"SHA512": "1234567890123456789012345678901234567890123456789012345678901234",
	}
	for _, tc := range []struct {
		at                   int64
		sha1, sha256, sha512 string
	}{
		{59, "94287082", "46119246", "90693936"},
		{1111111109, "07081804", "68084774", "25091201"},
		{1111111111, "14050471", "67062674", "99943326"},
		{1234567890, "89005924", "91819424", "93441116"},
		{2000000000, "69279037", "90698825", "38618901"},
		{20000000000, "65353130", "77737706", "47863826"},
	} {
		codes := map[string]string{"SHA1": tc.sha1, "SHA256": tc.sha256, "SHA512": tc.sha512}
		for algorithm := range codes {
			t.Run(fmt.Sprint(algorithm, " ", tc.at), func(t *testing.T) {
				t.Parallel()
				secret := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(seed[algorithm]))
				m := newTOTPMount(mfa.TOTPKey{Secret: secret, Period: 30 * time.Second, Digits: 8, Algorithm: algorithm})
				m.Skew, m.MaxWrong = 0, 100
				m.Now = func() time.Time { return time.Unix(tc.at, 0) } // up to the year 2603
				for other, code := range codes {
					if other != algorithm {
						assert.ErrorIs(t, m.try(t, code), mfa.ErrWrongPassCode)
					}
				}
				assert.NoError(t, m.try(t, codes[algorithm]))
			})
		}
	}
}

// TestTOTPSkew: how early and how late a passcode may be.
func TestTOTPSkew(t *testing.T) {
	t.Parallel()
	for _, period := range []time.Duration{30 * time.Second, time.Minute} {
		for skew := range 2 {
			for later := -3; later <= 3; later++ {
				t.Run(fmt.Sprintf("%v, skew %d, %+d", period, skew, later), func(t *testing.T) {
					t.Parallel()
					key := usual()
					key.Period = period
					for _, within := range []time.Duration{0, period - time.Second} {
						m := newTOTPMount(key)
						m.Skew = skew
						m.clock.Advance(within)
						err := m.try(t, m.code(t, later))
						if max(later, -later) <= skew {
							assert.NoError(t, err)
							assert.Equal(t, m.clock.Now().Unix()/int64(period/time.Second)+int64(later), m.stored(t).LastStep)
						} else {
							assert.ErrorIs(t, err, mfa.ErrWrongPassCode)
							assert.Zero(t, m.stored(t).LastStep)
						}
					}
				})
			}
		}
	}
}

// TestTOTPReplay: none of a step that was used, nor of an earlier one.
func TestTOTPReplay(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		first  int
		second int
		after  time.Duration
		err    error
	}{
		{"the same", 0, 0, 0, mfa.ErrPassCodeReplayed},
		{"the same at the end of its time", 0, -1, 30 * time.Second, mfa.ErrPassCodeReplayed},
		{"an older one", 0, -1, 0, mfa.ErrPassCodeReplayed},
		{"the present one after an early one", 1, 0, 0, mfa.ErrPassCodeReplayed},
		{"an early one again", 1, 0, 30 * time.Second, mfa.ErrPassCodeReplayed},
		{"a newer one", 0, 1, 0, nil},
		{"the next one", 0, 0, 30 * time.Second, nil},
		{"from late to early", -1, 1, 0, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := newTOTPMount(usual())
			require.NoError(t, m.try(t, m.code(t, tc.first)))
			step := m.stored(t).LastStep
			m.clock.Advance(tc.after)
			err := m.try(t, m.code(t, tc.second))
			assert.ErrorIs(t, err, tc.err)
			key := m.stored(t)
			assert.Zero(t, key.Wrong, "a replay is no guess")
			if tc.err != nil {
				assert.Equal(t, step, key.LastStep)
				assert.True(t, mfa.Retryable(err))
			} else {
				assert.Greater(t, key.LastStep, step)
			}
		})
	}
}

// TestTOTPSingleUse: of many who bring the same passcode at the same time, one
// passes.
func TestTOTPSingleUse(t *testing.T) {
	t.Parallel()
	for range 10 {
		m := newTOTPMount(usual())
		code := m.code(t, 0)
		const many = 16
		results := make(chan error, many)
		var ready sync.WaitGroup
		ready.Add(many)
		for range many {
			go func() {
				attempt, err := m.Prepare(t.Context(), mfa.Subject{Login: login}, mfa.Credential{PassCode: code})
				ready.Done()
				ready.Wait() // all have been prepared before the first is verified
				if err == nil {
					err = attempt.Verify(t.Context(), mfa.Exchange{})
				}
				results <- err
			}()
		}
		passed := 0
		for range many {
			err := <-results
			if err == nil {
				passed++
				continue
			}
			assert.ErrorIs(t, err, mfa.ErrPassCodeReplayed)
		}
		assert.Equal(t, 1, passed)
	}
}

// TestTOTPGuesses: of many guesses at the same time, no more are looked at than
// one after the other.
func TestTOTPGuesses(t *testing.T) {
	t.Parallel()
	m := newTOTPMount(usual())
	wrong := m.wrong(t)
	var all sync.WaitGroup
	results := make(chan error, 32)
	for range 32 {
		all.Go(func() {
			attempt, err := m.Prepare(t.Context(), mfa.Subject{Login: login}, mfa.Credential{PassCode: wrong})
			if err == nil {
				err = attempt.Verify(t.Context(), mfa.Exchange{})
			}
			results <- err
		})
	}
	all.Wait()
	close(results)
	looked := 0
	for err := range results {
		if errors.Is(err, mfa.ErrWrongPassCode) {
			looked++
			continue
		}
		assertBarred(t, time.Minute, err)
	}
	assert.Equal(t, 3, looked)
	assert.Equal(t, 3, m.stored(t).Wrong)
}

// TestTOTPBar: each time that too many passcodes in a row were wrong, none is
// looked at for twice as long as the time before, and never for more than an
// hour.
func TestTOTPBar(t *testing.T) {
	t.Parallel()
	for _, most := range []int{1, 3, 5} {
		t.Run(fmt.Sprint(most, " wrong"), func(t *testing.T) {
			t.Parallel()
			m := newTOTPMount(usual())
			m.MaxWrong = most
			for round, wait := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
				wait *= time.Minute
				for n := range most {
					assert.ErrorIs(t, m.try(t, m.wrong(t)), mfa.ErrWrongPassCode)
					assert.Equal(t, round*most+n+1, m.stored(t).Wrong)
				}
				uses := m.store.uses
				assertBarred(t, wait, m.try(t, m.wrong(t)))
				m.clock.Advance(wait - time.Second)
				assertBarred(t, time.Second, m.try(t, m.code(t, 0)))
				assert.Equal(t, uses, m.store.uses, "not looked at, not counted")
				assert.Equal(t, (round+1)*most, m.stored(t).Wrong)
				m.clock.Advance(time.Second)
			}
			assert.NoError(t, m.try(t, m.code(t, 0)), "the bar has its end")
			key := m.stored(t)
			assert.Zero(t, key.Wrong)
			assert.Zero(t, key.BarredUntil)

			m.clock.Advance(time.Minute)
			for range most {
				assert.ErrorIs(t, m.try(t, m.wrong(t)), mfa.ErrWrongPassCode)
			}
			assertBarred(t, time.Minute, m.try(t, m.code(t, 0))) // it begins anew
		})
	}
	t.Run("barred since it was prepared", func(t *testing.T) {
		t.Parallel()
		m := newTOTPMount(usual())
		early, err := m.Prepare(t.Context(), mfa.Subject{Login: login}, mfa.Credential{PassCode: m.code(t, 0)})
		require.NoError(t, err)
		for range 3 {
			assert.ErrorIs(t, m.try(t, m.wrong(t)), mfa.ErrWrongPassCode)
		}
		assertBarred(t, time.Minute, early.Verify(t.Context(), mfa.Exchange{}))
		key := m.stored(t)
		assert.Equal(t, 3, key.Wrong)
		assert.Zero(t, key.LastStep, "the right passcode was not looked at")
	})
	t.Run("a success in between", func(t *testing.T) {
		t.Parallel()
		m := newTOTPMount(usual())
		for range 5 {
			assert.ErrorIs(t, m.try(t, m.wrong(t)), mfa.ErrWrongPassCode)
			assert.ErrorIs(t, m.try(t, m.wrong(t)), mfa.ErrWrongPassCode)
			assert.NoError(t, m.try(t, m.code(t, 0)))
			m.clock.Advance(30 * time.Second)
		}
	})
	t.Run("a replay does not reset", func(t *testing.T) {
		t.Parallel()
		m := newTOTPMount(usual())
		require.NoError(t, m.try(t, m.code(t, 0)))
		for range 2 {
			assert.ErrorIs(t, m.try(t, m.wrong(t)), mfa.ErrWrongPassCode)
		}
		assert.ErrorIs(t, m.try(t, m.code(t, 0)), mfa.ErrPassCodeReplayed)
		assert.Equal(t, 2, m.stored(t).Wrong)
	})
}
