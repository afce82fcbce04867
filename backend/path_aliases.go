package backend

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// pathAliases reports what another alias_source would change. It changes nothing.
func (b *backend) pathAliases() *framework.Path {
	return &framework.Path{
		Pattern: "config/aliases/?$",
		Fields: grouped("Report", fieldSchemas{
			"username": {
				Type: framework.TypeString,
				Description: "A name of a person, in any spelling that Okta takes: the report shows the alias that each alias_source would give them. " +
					"No person's, when empty.",
				Query:        true,
				DisplayAttrs: &framework.DisplayAttributes{Name: "Username"},
			},
		}),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ListOperation: &framework.PathOperation{
				Callback: b.pathAliasesList, Summary: "Report what alias_source=login would change.",
				Responses: failing(toldList(with(keyInfo("What is in doubt about the entry, and the login that it stands for"), fieldSchemas{
					"alias_source": {Type: framework.TypeString, Description: "The one in force."},
					"aliases":      {Type: framework.TypeMap, Description: "With username: the person's alias, by alias_source."},
				})), []int{http.StatusTooManyRequests, http.StatusBadGateway, http.StatusGatewayTimeout})},
		},
		HelpSynopsis:    "Report what alias_source=login would change for the entries of users and for a person.",
		HelpDescription: aliasesHelp,
		DisplayAttrs:    &framework.DisplayAttributes{OperationPrefix: operationPrefix, OperationSuffix: "aliases"},
	}
}

func (b *backend) pathAliasesList(ctx context.Context, req *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	cfg, err := b.requireConfig(ctx, req.Storage)
	if isA[*store.UnreadableError](err) {
		return nil, err
	}
	if err != nil {
		return b.answer(ctx, err, false)
	}
	names, info, err := b.doubtfulUsers(ctx, req.Storage, cfg)
	if err != nil {
		return nil, err
	}
	resp := logical.ListResponseWithInfo(names, info)
	resp.Data["alias_source"] = cfg.source()
	if name, _ := d.Get("username").(string); name != "" {
		if err := checkName("username", name); err != nil {
			return answerInput(err)
		}
		aliases, err := b.aliasesOf(ctx, req.Storage, cfg, name)
		if isA[*store.UnreadableError](err) {
			return nil, err
		}
		if err != nil {
			return b.answer(ctx, err, false)
		}
		resp.Data["aliases"] = aliases
	}
	return resp, nil
}

// doubtfulUsers returns the entries of users that alias_source=login would give to
// nobody or to somebody else than before, those that several entries stand for, and those
// that cannot be read.
func (b *backend) doubtfulUsers(ctx context.Context, s logical.Storage, cfg *configEntry) (names []string, info map[string]any, err error) {
	byLogin := map[string][]string{}
	bound := map[string]bool{}
	var all []string
	lost, err := b.users.Scan(ctx, s, func(name string, user *userEntry) {
		all = append(all, name)
		bound[name] = user.OktaID != ""
		login := store.FoldLogin(cfg.completeLogin(name))
		byLogin[login] = append(byLogin[login], name)
	})
	if err != nil {
		return nil, nil, err
	}
	info = map[string]any{}
	for _, l := range lost {
		name := strings.TrimPrefix(l.Key, userPrefix)
		names = append(names, name)
		info[name] = map[string]any{"problem": unreadableProblem, "login": canonicalLogin(cfg.completeLogin(name))}
	}
	for _, name := range all {
		var problems []string
		if same := byLogin[store.FoldLogin(cfg.completeLogin(name))]; len(same) > 1 {
			problems = append(problems, fmt.Sprintf("stands for the same login as other entries: %s; a login gets what all of them give",
				strings.Join(without(same, name), ", ")))
		}
		if !strings.Contains(name, "@") && cfg.LoginDomain == "" && !bound[name] {
			problems = append(problems, "has no domain, and login_domain of config is empty: it applies only to a login that is exactly this "+
				"name, and no longer to everybody who types it")
		}
		if len(problems) > 0 {
			names = append(names, name)
			info[name] = map[string]any{"problem": strings.Join(problems, "; and it "), "login": canonicalLogin(cfg.completeLogin(name))}
		}
	}
	return names, info, nil
}

func without(names []string, name string) (others []string) {
	for _, other := range names {
		if other != name {
			others = append(others, other)
		}
	}
	return others
}

// aliasesOf asks Okta about a person, and returns their alias for each alias_source.
func (b *backend) aliasesOf(ctx context.Context, s logical.Storage, cfg *configEntry, typed string) (map[string]any, error) {
	if !cfg.readsOkta() {
		return nil, invalid("username", "needs the api_token or the client_id of config: Okta knows whose name it is")
	}
	client, err := b.client(ctx, s, cfg)
	if err != nil {
		return nil, err
	}
	account, err := client.Account(ctx, typed)
	if e := find[*okta.Error](err); e != nil && e.Code == okta.CodeNotFound {
		return nil, invalid("username", "does not exist at Okta"+codeOf(err))
	}
	if err != nil {
		return nil, apiTokenRefused(cfg, err)
	}
	who := mfa.Subject{ID: account.ID, Login: account.Login, Name: typed}
	aliases := map[string]any{}
	for _, source := range []string{sourceLogin, sourceOktaID, sourceTyped} {
		aliases[source] = (&configEntry{AliasSource: source}).identify(who).alias
	}
	return aliases, nil
}

const aliasesHelp = `
The report lists the entries of users that alias_source=login would give to another
person than before, or to nobody, and entries that stand for the same login. With
username, it also shows the alias that each alias_source gives that person.
`
