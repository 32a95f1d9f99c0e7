# im_reply full, and the variables in a log.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use JSON::PP ();
use Test::More;
use Test::IM;

my $t = Test::IM->new(
    conf_im => 'im_reply full;',
    conf_server => <<'CONF',
        location /v1/ { im_pass store; im_reply v1; }
        location /who/ { im_pass store; im_user $http_x_user; }
CONF
    log_format => '$im_call|$im_code|$im_from_id|$im_conv_id|$im_store_time'
                  . '|$im_store_commands|$status|$uri',
)->start;

sub members_are {
    my ($raw, $name, @want) = @_;
    my $r = JSON::PP->new->utf8->decode($raw);
    $r = $r->[0] if ref $r eq 'ARRAY';
    is_deeply([ sort keys %$r ], [ sort @want ], $name) or diag($raw);
    return $r;
}


# --- full

my $r = $t->say(ann => 'bob', 'one');
my $j = members_are($r->body, 'send', qw(conv_id msg_id msg_time seq));
is($j->{conv_id}, $r->conv_id, 'conv_id is that of the header');
is($j->{msg_id}, $r->msg_id, 'msg_id as well');
is($j->{msg_time}, $r->msg_time, 'and msg_time');
like($r->body, qr/"msg_time":\d{13}\b/, 'msg_time is a number');
like($r->body, qr/"seq":1\b/, 'seq is a number, from 1');
like($t->say(bob => 'ann', 'two')->body, qr/"seq":2\b/, 'without gaps');
my ($conv, $id) = @$j{qw(conv_id msg_id)};

my $again = $t->say(ann => 'bob', 'three', client_msg_id => 'c');
is($t->say(ann => 'bob', 'three', client_msg_id => 'c')->body, $again->body,
   'sent twice, the same answer');

my @msg = qw(msg_id msg_type msg conv_id from_id from_time user);
my $page = $t->call("/im/conv/$conv", {});
members_are($page->body, 'a message', @msg, 'seq');
is_deeply([ map { $_->{seq} } @{ $page->json } ], [ 3, 2, 1 ], 'seq');
like($page->body, qr/"seq":3\b/, 'a number');
is($page->json->[-1]{msg_id}, $id, 'the same msg_id');
members_are($t->call('/im/from/to', { from_id => 'ann', to_id => 'bob' })->body,
            'a message of from/to', @msg, 'seq');

$r = $t->post('/im/creat/group', { owner_id => 'ann', name => 'G',
     img => 'I', description => 'D', member => ['bob'] });
$j = members_are($r->body, 'create', 'conv_id');
my $group = $j->{conv_id};
is($t->post('/im/add/group/merber', { conv_id => $group, member => ['cid'] })
   ->status, 200, 'add');

$j = $t->list('cid')->[0];
is_deeply([ @$j{qw(conv_id name img description)} ], [ $group, qw(G I D) ],
          "a group's name, img, description in the list");
ok(exists $j->{$_}, "and $_")
    for qw(conv_type conv_users last_msg last_msg_type last_user_name
           last_time unread_count);
$r = $t->group(ann => ['dan']) // '';
$j = $t->list('dan')->[0];
is_deeply([ @$j{qw(name img description)} ], [ 'a group', '', '' ],
          'those not given are ""');


# --- v1 beside it

$r = $t->post('/v1/send/msg', { from_id => 'ann', to_id => 'bob',
              msg => 'v1', msg_type => 0 });
is($r->body, '{}', 'v1: send');
is($r->conv_id, $conv, 'v1: header');
members_are($t->call("/v1/conv/$conv", {})->body, 'v1: a message', @msg);
members_are($t->call('/v1/conv/list', { from_id => 'cid' })->body,
    'v1: a group in the list', qw(conv_id conv_type conv_users last_msg
    last_msg_type last_user_name last_time unread_count));


# --- variables

sub logged {    # what the last request logged
    my $count = () = $t->access_log =~ /\n/g;
    my $cb = shift;
    $cb->();
    $t->poll(5, sub { my $n = () = $t->access_log =~ /\n/g; $n > $count })
        or die "nothing is logged\n";
    return [ split /\|/, (split /\n/, $t->access_log)[-1] ];
}

my @cases = (
    [ 'conv_list', '/im/conv/list', { from_id => 'ann' }, 'ann' ],
    [ 'conv_page', "/im/conv/$conv", { from_id => 'bob' }, 'bob', $conv ],
    [ 'pair_page', '/im/from/to', { from_id => 'ann', to_id => 'bob' }, 'ann',
      $conv ],
    [ 'send', '/im/send/msg', { from_id => 'ann', to_id => 'bob', msg => 'x',
                                msg_type => 0 }, 'ann', $conv ],
    [ 'send', '/im/send/msg', { from_id => 'bob', conv_id => $group,
                                msg => 'x', msg_type => 0 }, 'bob', $group ],
    [ 'group_create', '/im/creat/group', { owner_id => 'ann', name => 'x',
                                           conv_id => 'new' }, undef, 'new' ],
    [ 'group_create', '/im/create/group', { owner_id => 'ann', name => 'x',
                                            conv_id => 'new2' }, undef,
      'new2' ],
    [ 'group_add', '/im/add/group/merber', { conv_id => 'new',
                                             member => ['bob'] }, undef,
      'new' ],
    [ 'group_add', '/im/add/group/member', { conv_id => 'new',
                                             member => ['cid'] }, undef,
      'new' ],
    [ 'group_list', '/im/group/new/list', {}, undef, 'new' ],
    [ 'group_alias', '/im/group/new/alias', { id => 'bob', alias => 'x' },
      'bob', 'new' ],
    [ 'group_set', '/im/group/new/set', { from_id => 'ann', name => 'x' },
      'ann', 'new' ],
    [ 'group_leave', '/im/group/new/leave', { from_id => 'bob' }, 'bob',
      'new' ],
    [ 'group_transfer', '/im/group/new/transfer', { from_id => 'ann',
                                                    to_id => 'cid' }, 'ann',
      'new' ],
    [ 'group_remove', '/im/group/new/remove', { from_id => 'cid',
                                                member => ['ann'] }, 'cid',
      'new' ],
    [ 'group_dismiss', '/im/group/new/dismiss', { from_id => 'cid' }, 'cid',
      'new' ],
    [ 'user_set', '/im/user/set', { users => [ { id => 'ann' , name => 'A' } ]
                                  } ],
    [ 'user_online', '/im/user/online', { ids => ['ann'] } ],
    [ 'user_get', '/im/user/get', { ids => ['ann'] } ],
    [ 'conv_read', "/im/conv/$conv/read", { from_id => 'ann' }, 'ann', $conv ],
    [ 'conv_typing', "/im/conv/$conv/typing", { from_id => 'ann' }, 'ann', $conv ],
    [ 'conv_hide', "/im/conv/$conv/hide", { from_id => 'ann' }, 'ann', $conv ],
    [ 'conv_readers', "/im/conv/$conv/readers", { from_id => 'bob' }, 'bob',
      $conv ],
    [ 'recall', '/im/msg/recall', { from_id => 'ann', conv_id => $conv,
                                    msg_id => $id }, 'ann', $conv ],
    [ 'unread', '/im/unread', { from_id => 'bob' }, 'bob' ],
);

for my $case (@cases) {
    my ($call, $path, $body, $from, $conv_id) = @$case;
    my $l = logged(sub { $t->call($path, $body) });
    is($l->[0], $call, "$path: \$im_call");
    is($l->[1], 'ok', "\$im_code");
    is($l->[2], $from, "\$im_from_id") if $from;
    is($l->[3], $conv_id, "\$im_conv_id") if $conv_id;
    like($l->[4], qr/^\d+\.\d{3}$/, "\$im_store_time");
    like($l->[5], qr/^[1-9]\d*$/, "\$im_store_commands");
}

my @bad = (
    [ 'send', 'bad_json', '/im/send/msg', '{' ],
    [ 'send', 'bad_request', '/im/send/msg', {} ],
    [ 'conv_page', 'conv_not_found', '/im/conv/nosuch', {} ],
    [ 'send', 'not_member', '/im/send/msg', { from_id => 'eve',
      conv_id => $group, msg => 'x', msg_type => 0 } ],
    [ 'unread', 'body_too_large', '/im/unread', 'x' x 270000 ],
);
for (@bad) {
    my ($call, $code, $path, $body) = @$_;
    my $l = logged(sub { $t->post($path, $body) });
    is_deeply([ @$l[0, 1, 6] ], [ $call, $code, $STATUS{$code} ],
              "$path: $code");
}

my $l = logged(sub { $t->post('/im/nosuch', {}) });
is_deeply([ @$l[1, 6] ], [ 'not_found', 404 ], 'no such call');
for my $path (map { $_ =~ s/ID/$group/r }
          qw(/im/conv/ID/nosuch /im/conv/ID/rea /im/group/ID/lis /im/group/ID)) {
    $l = logged(sub { $t->post($path, {}) });
    is_deeply([ @$l[0 .. 3] ], [ '-', 'not_found', '-', '-' ], "$path: no call, no conversation");
}
$l = logged(sub { $t->get('/im/conv/list') });
is_deeply([ @$l[1, 6] ], [ 'method_not_allowed', 405 ], 'no such method');
$l = logged(sub { $t->get('/site') });
is_deeply([ @$l[0 .. 5] ], [ ('-') x 6 ], 'elsewhere all are "-"');
$l = logged(sub { $t->post('/im/send/msg', {}) });
like($l->[5], qr/^(?:0|-)$/, 'no commands for a body that is refused');

$t->done;
done_testing;
