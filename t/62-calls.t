# Every call of the table of routes as the operator sees it, allowed and
# refused: its line in the access log, its counters in both formats of im_status,
# and its response with im_reply v1 and full.  A call without a row fails.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use Test::IM;

my $log = '$uri $status call=$im_call code=$im_code from=$im_from_id conv=$im_conv_id n=$im_store_commands t=$im_store_time';
my $t = Test::IM->new(one => 'it counts commands', workers => 2, log_format => $log, conf_server => <<'CONF')->start;
        location /v1/ { im_pass store; im_user $http_x_user; im_trusted $http_x_trusted; im_import on; }
        location /full/ { im_pass store; im_user $http_x_user; im_trusted $http_x_trusted; im_import on; im_reply full; }
        location = /json { im_status json; }
        location = /text { im_status prometheus; }
CONF

my $g = $t->group(ann => [ 'bob', 'cid' ], conv_id => 'g', img => 'i', description => 'd');
my $b = $t->group(bob => ['ann'], conv_id => 'b');
my $said = $t->say_in(bob => 'g', 'hello')->msg_id;
my $pair = $t->say(bob => 'ann', 'hello')->conv_id;
my @d = map { $t->group(ann => [], conv_id => $_) } qw(dv1 dfull);
my %mine = map { $_ => $t->say(ann => 'dan', $_) } qw(v1 full);
my $dan = $mine{v1}->conv_id;
$t->group(bob => ['ann'], conv_id => 'k');

my @msg = qw(msg_id msg_type msg conv_id from_id from_time user);
my @entry = qw(conv_id conv_type conv_users last_msg last_msg_type last_user_name last_time unread_count);

# A call of ann: path and body, its conversation in the log, how many commands
# it may need, members of the response (of its first element) and what "full"
# has beside; then a call that is refused: path, body, conversation, code.
# "NEW" is the id in the response's header; LOC is v1 or full.

my %ROW = (
    conv_list => [ 'conv/list', {}, '-', 9, \@entry, [qw(seq name img description)],
                   'conv/list', { limit => 0 }, '-', 'bad_request' ],
    conv_page => [ 'conv/g', {}, 'g', 6, \@msg, ['seq'], 'conv/none', {}, 'none', 'conv_not_found' ],
    pair_page => [ 'from/to', { to_id => 'bob' }, $pair, 6, \@msg, ['seq'],
                   'from/to', { to_id => 'bob', before => '9-0000000000000000' }, $pair, 'msg_not_found' ],
    send => [ 'send/msg', { to_id => 'bob', msg => 'x', msg_type => 0 }, $pair, 6, [], [qw(conv_id msg_id msg_time seq)],
              'send/msg', { conv_id => 'none', msg => 'x', msg_type => 0 }, 'none', 'conv_not_found' ],
    group_create => [ 'creat/group', { owner_id => 'ann', name => 'n' }, 'NEW', 12, [], ['conv_id'],
                      'creat/group', { owner_id => 'ann', name => 'n', conv_id => 'x' }, 'x', 'forbidden' ],
    group_add => [ 'add/group/merber', { conv_id => 'g', member => ['zoeLOC'] }, 'g', 12, [], [],
                   'add/group/merber', { conv_id => $pair, member => ['zoe'] }, $pair, 'not_group' ],
    group_list => [ 'group/g/list', {}, 'g', 6, [qw(id name alias)], [], 'group/none/list', {}, 'none', 'conv_not_found' ],
    group_alias => [ 'group/g/alias', { id => 'ann', alias => 'a' }, 'g', 4, [], [],
                     'group/g/alias', { id => 'zed', alias => 'a' }, 'g', 'not_member' ],
    group_set => [ 'group/g/set', { name => 'nLOC' }, 'g', 4, [], [], 'group/k/set', { name => 'x' }, 'k', 'forbidden' ],
    group_leave => [ 'group/b/leave', {}, 'b', 8, [], [], 'group/g/leave', {}, 'g', 'is_owner' ],
    group_remove => [ 'group/g/remove', { member => ['cid'] }, 'g', 12, [], [], 'group/g/remove', { member => ['ann'] }, 'g', 'bad_request' ],
    group_transfer => [ 'group/g/transfer', { to_id => 'ann' }, 'g', 4, [], [], 'group/g/transfer', { to_id => 'zed' }, 'g', 'not_member' ],
    group_dismiss => [ 'group/dLOC/dismiss', {}, 'dLOC', 4, [], [], 'group/k/dismiss', {}, 'k', 'forbidden' ],
    conv_read => [ 'conv/g/read', {}, 'g', 4, [], [], 'conv/g/read', { msg_id => '9-0000000000000000' }, 'g', 'msg_not_found' ],
    conv_hide => [ 'conv/g/hide', {}, 'g', 4, [], [], 'conv/none/hide', {}, 'none', 'conv_not_found' ],
    conv_typing => [ 'conv/g/typing', {}, 'g', 4, [], [], 'conv/none/typing', {}, 'none', 'conv_not_found' ],
    conv_readers => [ 'conv/g/readers', {}, 'g', 4, [qw(id msg_id)], [], 'conv/none/readers', {}, 'none', 'conv_not_found' ],
    recall => [ 'msg/recall', { conv_id => $dan, msg_id => 'MINE' }, $dan, 4, [], [],
                'msg/recall', { conv_id => $pair, msg_id => '9-0000000000000000' }, $pair, 'msg_not_found' ],
    unread => [ 'unread', {}, '-', 9, ['total'], [], 'unread', { from_id => 'bob' }, '-', 'forbidden' ],
    user_set => [ 'user/set', { users => [ { id => 'ann', name => 'A' } ] }, '-', 2, [], [],
                  'user/set', { users => [ { id => 'bob', name => 'B' } ] }, '-', 'forbidden' ],
    user_online => [ 'user/online', { ids => ['ann'] }, '-', 2, [qw(id online)], [], 'user/online', { ids => 'ann' }, '-', 'bad_request' ],
    user_get => [ 'user/get', { ids => ['ann'] }, '-', 1, [qw(id name img)], [], 'user/get', { ids => 'ann' }, '-', 'bad_request' ],
    import => [ 'import', { conv_id => 'iLOC', conv_type => 1, conv_users => [qw(ann bob)],
                            messages => [ { msg_id => 'm', msg_type => 0, msg => 'x', from_id => 'ann', from_time => 1700000000000 } ] },
                'iLOC', 9, [qw(stored skipped)], [],
                'import', { conv_id => 'g', conv_type => 1, conv_users => ['zed'], messages => [] }, 'g', 'import_conflict' ],
);

# nobody acts there, or the refusal comes before it is known who does
my %FROM = (user_set => '-', user_get => '-', user_online => '-', import => '-');

# refused before Redis is used
my %early = map { $_ => 1 } qw(conv_list group_create unread user_set user_get user_online);

my @calls = slurp("$Test::IM::ROOT/src/api/ngx_http_im_route.c") =~ /^ +row\((\w+), "/mg;
cmp_ok(@calls, '>=', 20, 'the table of routes is read');
is_deeply([ sort keys %ROW ], [ sort @calls ], 'every call has a row, and every row is of a call');

my ($described) = slurp("$Test::IM::ROOT/docs/directives.md") =~ /^### \$im_call\n(.*?)^### /ms;
is_deeply([ grep { $described !~ /`$_`/ } @calls ], [], 'the documentation of $im_call has them all');

my (%count, $lines);

for my $loc (qw(v1 full)) {
    for my $call (@calls) {
        my ($path, $body, $conv, $most, $members, $more, $bad_path, $bad_body, $bad_conv, $code) = @{ $ROW{$call} };

        subtest "$call, $loc" => sub {
            if ($call eq 'group_leave') { $t->add('b', 'ann') }

            my $r = try($loc, $path, $body);
            is($r->status, 200, 'is done') or diag($r->body);
            my @want = (@$members, $loc eq 'full' ? @$more : ());
            my $json = $r->json;
            my @has = ref $json eq 'ARRAY' ? map { keys %$_ } grep { !$_->{conv_id} || $_->{conv_type} || $call ne 'conv_list' } @$json
                    : keys %$json;
            my %has = map { $_ => 1 } @has;
            is_deeply([ sort keys %has ], [ sort @want ], 'members of the response') or diag($r->body);

            my $new = $r->header('X-IM-Conv-Id') // '';
            is($json->{conv_id}, $new, 'the id is that of the header') if $conv eq 'NEW' && $loc eq 'full';
            my %l = last_line("/$loc/" . named($path, $loc));
            is($l{call}, $call, 'log: call');
            is($l{code}, 'ok', 'log: code');
            is($l{from}, $FROM{$call} // 'ann', 'log: who');
            is($l{conv}, $conv eq 'NEW' ? $new : named($conv, $loc), 'log: conversation');
            cmp_ok($l{n}, '<=', $most, 'log: commands');
            cmp_ok($l{n}, '>=', $call eq 'user_get' ? 0 : 1, 'log: not fewer');
            like($l{t}, $l{n} ? qr/^\d+\.\d{3}$/ : qr/^-$/, 'log: time');

            $r = try($loc, $bad_path, $bad_body);
            is($r->code, $code, 'is refused') or diag($r->body);
            is($r->status, $STATUS{$code}, 'with its status');
            is_deeply([ sort keys %{ $r->json } ], [qw(code error)], 'the same response in both');
            %l = last_line("/$loc/$bad_path");
            is($l{call}, $call, 'log: call');
            is($l{code}, $code, 'log: code');
            like($l{from}, qr/^(?:ann|bob|-)$/, 'log: who');
            is($l{conv}, $bad_conv, 'log: conversation');
            $early{$call} ? is($l{n}, 0, 'log: no command') : cmp_ok($l{n}, '>=', 1, 'log: commands');

            $count{$call}{ok}++;
            $count{$call}{$code}++;
        };
    }
}


# --- counters: all of these, and those of the preparations at least

for my $get (\&from_json, \&from_text) {
    my $has;
    my $enough = sub {
        $has = $get->();
        return !grep { my $c = $_; grep { ($has->{$c}{$_} // 0) < $count{$c}{$_} } keys %{ $count{$c} } } @calls;
    };
    ok($t->poll(5, $enough), 'every call is counted by its code');
    for my $call (@calls) {
        my %refused = map { $_ => $has->{$call}{$_} } grep { $_ ne 'ok' } keys %{ $has->{$call} };
        my %want = map { $_ => $count{$call}{$_} } grep { $_ ne 'ok' } keys %{ $count{$call} };
        is_deeply(\%refused, \%want, "$call: refusals");
        cmp_ok($has->{$call}{ok}, '>=', 2, "$call: done");
    }
}
is_deeply(from_json(), from_text(), 'both formats say the same');

$t->done;

done_testing;


sub named {
    my ($text, $loc) = @_;
    return $text =~ s/LOC/$loc/r =~ s/MINE/$mine{$loc}->msg_id/er;
}


sub try {
    my ($loc, $path, $body) = @_;
    my %b = map { my $v = $body->{$_}; ($_ => ref $v eq 'ARRAY' ? [ map { ref ? $_ : named($_, $loc) } @$v ] : ref $v ? $v : named($v, $loc)) } keys %$body;
    $b{limit} += 0 if exists $b{limit};
    $b{$_} += 0 for grep { exists $b{$_} } qw(msg_type conv_type);
    $b{from_id} //= 'ann' if !exists $b{owner_id};
    $lines = () = $t->access_log =~ /\n/g;
    return $t->post("/$loc/" . named($path, $loc), \%b, headers => [ 'X-User: ann', $path eq 'import' ? 'X-Trusted: on' : () ]);
}


sub last_line {
    my ($uri) = @_;
    my $line;
    $t->poll(5, sub { my @l = split /\n/, $t->access_log; $line = $l[-1]; @l > $lines });
    is((split ' ', $line)[0], $uri, 'log: its line');
    return $line =~ /(\w+)=(\S+)/g;
}


sub from_json {
    return $t->get('/json')->json->{total}{requests};
}


sub from_text {
    my %n;
    my $text = $t->get('/text')->body;
    $n{$1}{$2} += $3 while $text =~ /^im_requests_total\{(?=[^}]*\bcall="(\w+)")(?=[^}]*\bcode="(\w+)")[^}]*\} (\d+)/mg;
    for my $call (keys %n) { delete $n{$call}{$_} for grep { !$n{$call}{$_} } keys %{ $n{$call} }; delete $n{$call} if !%{ $n{$call} } }
    return \%n;
}
