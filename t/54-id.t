# Ids of users as identity providers make them, in every call; ids of
# conversations that no path can name.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha1_hex);
use Test::More;
use Test::IM;

my $t = Test::IM->new(
    workers => 2,
    log_format => '$im_call $im_from_id $im_conv_id $im_code',
    conf_server => 'location /as/ { im_pass store; im_user $http_x_user; }'
        . ' location = /id { set_im_conv_id $conv $http_x_a $http_x_b;'
        . ' return 200 "$conv"; }',
)->start;

my @users = ('auth0|5f7c8ec7a1b2c3006f1d2e3f', 'ann+test@example.com',
    'YWJj/Zw==', 'oauth2|google|1~2', '!important', '*', '../../etc/passwd',
    '/', '=', '+1-555-0100', 'a|b', '~', '%' =~ s/%/!*/r, 'CKD_P_a|b/c=',
    'a.b', '...', 'x' x 63 . '|', '~' x 64);

sub as {
    my ($user, $path, $body) = @_;
    return $t->post("/as/$path", $body, headers => [ "X-User: $user" ]);
}

# how a page shows an id
sub shown {
    my ($id) = @_;
    return $id =~ /^.+_([A-Z])_([^_]+)$/s ? ($2, $1) : ($id, '');
}

sub pair_id { return substr sha1_hex(join ' ', sort @_), 0, 24 }

my $n = 0;
for my $i (0 .. $#users) {
    my ($user, $other) = @users[$i, ($i + 1) % @users];
    my $group = "g$i";
    my $text = "from $i";

    # profiles
    is($t->post('/im/user/set', { users => [ { id => $user,
        name => "is $user", img => "/$i" } ] })->body, '{}', "$user: user/set");
    is_deeply($t->call('/im/user/get', { ids => [ $user, $user ] })->json,
              [ { id => $user, name => "is $user", img => "/$i" } ],
              'user/get');

    # of two
    my $r = $t->say($user, $other, $text, client_msg_id => 'c1');
    my $conv = $r->conv_id;
    is($conv, pair_id($user, $other), 'send: the id of the two');
    is($t->say($user, $other, $text, client_msg_id => 'c1')->msg_id,
       $r->msg_id, 'sent again');
    is($t->say_in($other, $conv, 'back')->status, 200, 'named by its id');
    is($t->post('/im/send/msg', { from_id => $other, to_id => $user,
                conv_id => $conv, msg => 'both', msg_type => 0 })->status, 200,
       'by both');
    is($t->unread_in($user, $conv), 2, 'list: unread');
    is($t->post("/im/conv/$conv/read", { from_id => $user,
                msg_id => $r->msg_id })->body, '{}', 'read');
    is($t->unread_in($user, $conv), 2, 'read up to the first');
    my $page = $t->pair($user, $other);
    my ($id, $type) = shown($user);
    is_deeply([ map { $_->{msg} } @$page ], [ 'both', 'back', $text ],
              'from/to');
    is_deeply($page->[2]{user}, { id => $id, type => $type,
              name => "is $user", img => "/$i" }, 'and who wrote');
    is($t->unread_in($user, $conv), 0, 'is read then');
    is_deeply($t->texts($t->page($conv, from_id => $user)),
              [ 'both', 'back', $text ], 'a page as viewer');
    is($t->post("/im/conv/$conv", { from_id => 'stranger' })->code,
       'not_member', 'not for another');

    # in a group
    $t->group($user, [ $other, $user, $other ], conv_id => $group);
    $t->add($group, 'bob', $user, $other, 'bob');
    is_deeply([ map { $_->{id} } @{ $t->members($group) } ],
              [ $user, $other, 'bob' ], 'members');
    is($t->members($group)->[0]{name}, "is $user", 'their names');
    $t->say_in($user, $group, 'to all');
    is($t->unread_in($other, $group), 1, 'unread in the group');
    my ($row) = grep { $_->{conv_id} eq $group } @{ $t->list($other) };
    is($row->{last_user_name}, "is $user", 'the last sender');
    is_deeply($row->{conv_users}, [ $user, $other, 'bob' ], 'conv_users');
    ($row) = grep { $_->{conv_id} eq $conv } @{ $t->list($other) };
    is_deeply([ sort @{ $row->{conv_users} } ], [ sort $user, $other ],
              'conv_users of two');
    is($t->page($group, from_id => $other)->[0]{user}{id}, $id,
       'a page of the group');
    cmp_ok($t->unread($user), '>=', 0, 'unread');

    # with an identity
    is(as($user, 'unread', { from_id => $user })->status, 200, 'im_user');
    is(as($user, 'unread', { from_id => $other })->code, 'forbidden',
       'not another');
    is(as($user, 'conv/list', { from_id => $user })->status, 200, 'a list');
    is(as($user, "conv/$conv", {})->status, 200, 'a page');
    is(as($user, "group/$group/list", {})->status, 200, 'members');
    is(as($user, 'add/group/merber', { conv_id => $group,
                                       member => [ "m$i" ] })->status, 200,
       'add');
    is($t->get('/id', headers => [ "X-A: $user", "X-B: $other" ])->body,
       $conv, 'set_im_conv_id');
    $n++;
}

# keys are those of the schema: nothing is escaped, or cut
my %keys = map { $_ => 1 } @{ $t->redis('KEYS', '*') };
ok($keys{"im:{u:$_}:i"} && $keys{"im:{u:$_}:p"} && $keys{"im:{u:$_}:g"},
   "keys of $_") for @users;

ok($t->poll(2, sub { index($t->access_log, "list $users[0] ") >= 0 }),
   'in the log') or diag(substr $t->access_log, 0, 300);


# --- "." and ".." are nobody's and no conversation's

for my $dots ('.', '..') {
    my $before = $t->snapshot;
    my $refused = sub {
        my ($path, $field, $body) = @_;
        my $r = $t->post($path, $body);
        is($r->status . $r->code, '400bad_request', "$path: $field is $dots");
        like($r->error, qr/^(?:\w+\[\d+\]: )?$field must be 1 to 64 bytes of .*but not \. or/,
             'and it says so');
    };
    $refused->('/im/creat/group', 'conv_id',
               { owner_id => 'ann', name => 'x', conv_id => $dots });
    $refused->('/im/creat/group', 'owner_id', { owner_id => $dots,
                                                name => 'x' });
    $refused->('/im/creat/group', 'member',
               { owner_id => 'ann', name => 'x', member => [ $dots ] });
    $refused->('/im/add/group/merber', 'conv_id', { conv_id => $dots,
                                                    member => [ 'x' ] });
    $refused->('/im/add/group/merber', 'member', { conv_id => 'g1',
                                                   member => [ $dots ] });
    $refused->('/im/send/msg', 'conv_id', { from_id => 'a', msg => 'x',
               msg_type => 0, conv_id => $dots });
    $refused->('/im/send/msg', 'to_id', { from_id => 'a', msg => 'x',
               msg_type => 0, to_id => $dots });
    $refused->('/im/send/msg', 'from_id', { from_id => $dots, msg => 'x',
               msg_type => 0, to_id => 'a' });
    $refused->('/im/conv/list', 'from_id', { from_id => $dots });
    $refused->('/im/user/set', 'id', { users => [ { id => $dots } ] });
    $refused->('/im/user/get', 'ids', { ids => [ $dots ] });
    is($t->get('/id', headers => [ "X-A: $dots", 'X-B: ann' ])->body, '',
       'set_im_conv_id is empty');
    is_deeply($t->snapshot, $before, 'nothing was stored');
}

# what a user may be called, a conversation may not
for my $id (grep { /[+=|~\/!*]/ } @users) {
    my $r = $t->post('/im/creat/group', { owner_id => 'ann', name => 'x',
                                          conv_id => $id });
    is($r->status . $r->code, '400bad_request', "no conversation $id");
    like($r->error, qr/^conv_id must be 1 to 64 bytes of A-Z a-z 0-9 _ - \. : @, but/,
         'and it says so');
}

$t->done;
done_testing;
