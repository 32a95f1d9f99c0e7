# 200 imported conversations of every kind, each under its old id in every
# call.  What is expected is computed here from what was imported.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha1_hex);
use JSON::PP ();
use Test::More;
use Test::IM;

my $t = Test::IM->new(
    workers => 2,
    conf_im => 'im_import on; im_recall_window 0;',
    conf_server => <<'CONF',
        location /who/ { im_pass store; im_user $http_x_user; im_recall_window 0; }
CONF
)->start;

my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my $json = JSON::PP->new->canonical->allow_nonref;

# kind => [ type, id, are there messages, does another write, unread ]
my %KIND = (
    'pair, 24 hex digits'      => [ 0, 'hex', 1, 0, 0 ],
    'pair, plain id'           => [ 0, 'plain', 1, 0, 1 ],
    'pair, its computed id'    => [ 0, 'own', 1, 0, 0 ],
    'pair, another wrote'      => [ 0, 'hex', 1, 1, 1 ],
    'pair, no messages'        => [ 0, 'hex', 0, 0, 0 ],
    'group, 24 hex digits'     => [ 1, 'hex', 1, 0, 1 ],
    'group, plain id'          => [ 1, 'plain', 1, 0, 0 ],
    'group, another wrote'     => [ 1, 'hex', 1, 1, 0 ],
    'group, no messages'       => [ 1, 'hex', 0, 0, 0 ],
    'group of two'             => [ 1, 'hex', 1, 0, 1 ],
);

my (@bad, $checks);

sub same {
    my ($got, $want, $what) = @_;
    ($got, $want) = map { $json->encode($_) } $got, $want;
    $checks++;
    push @bad, "$what: got " . substr($got, 0, 900) . ', want ' . substr($want, 0, 900)
        if $got ne $want;
}

sub code {      # of a call, 'ok' where it is done
    my ($path, $body, @headers) = @_;
    my $r = $t->post($path, $body, headers => [ @headers ]);
    return $r->code || 'ok';
}

my $n = 0;

for my $round (1 .. 20) {
    for my $kind (sort keys %KIND) {
        my ($type, $form, $some, $other, $unread) = @{ $KIND{$kind} };
        my $c = conv($n++, $type, $form, $kind =~ /two/ ? 2 : 3, $some && 3 + $round % 5, $other, $unread);
        @bad = ();
        import($c);
        reads($c);
        writes($c);
        $type ? group($c) : pair($c);
        is_deeply(\@bad, [], "$kind, $round") or last;
    }
}

cmp_ok($checks, '>', 200 * 30, "$checks checks");

$t->done;
done_testing;


# --- a conversation to come

sub conv {
    my ($i, $type, $form, $size, $count, $other, $unread) = @_;
    my @users = map { "u$i" . chr(97 + $_) } 0 .. ($type ? $size : 2) - 1;
    @users = reverse @users if $i % 2;
    my $computed = substr sha1_hex(join ' ', sort @users[0, 1]), 0, 24;
    my %c = (type => $type, users => \@users, unread => $unread, computed => $computed, created => 1600000000000 + $i,
             id => $form eq 'hex' ? sprintf('5f%022x', $i) : $form eq 'own' ? $computed : "old:room.$i");

    my @from = (@users[0, 1], $other ? 'bot' : ());
    for my $k (1 .. $count) {
        push @{ $c{msgs} }, {
            # of any form, that of this system included
            msg_id => ($k == 1 ? "Zk+/_=$i" : $k == 2 ? sprintf('%d-%016x', $k + $i % 3, $i)
                       : $k == 3 ? "two words \"$i\" \\ \x{6d88}\x{1f600}" : "m$i.$k" . 'x' x 100),
            msg_type => $k % 5, msg => $k == 2 ? '' : "text $k \"of\" $i",
            from_id => $from[ ($k - 1) % @from ], from_time => 1700000000000 + $i * 1000 + $k,
        };
    }
    $c{msgs} ||= [];
    return \%c;
}

sub shown {     # messages as a page has them, newest first
    my ($c, @m) = @_;
    return [ map { { %$_, conv_id => $c->{id}, user => { id => $_->{from_id}, type => '', img => '', name => '' } } } reverse @m ];
}

sub unread_of { # of a user
    my ($c, $user) = @_;
    my $n = 0;
    for (@{ $c->{msgs} }) { $n = $_->{from_id} eq $user ? 0 : $n + 1 }
    return $c->{unread} ? $n : 0;
}

sub row {       # of a user's list
    my ($c, $user) = @_;
    my ($row) = grep { $_->{conv_id} eq $c->{id} } @{ $t->list($user) };
    return $row;
}


# --- in two batches, and again

sub import {
    my $c = shift;
    my @m = @{ $c->{msgs} };
    my %conv = (conv_id => $c->{id}, conv_type => $c->{type}, conv_users => $c->{users}, created => $c->{created},
                unread => $c->{unread} ? $true : $false);
    my @batch = @m ? ([ @m[0, 1] ], [ @m[2 .. $#m] ]) : ([]);
    @batch = ([ @m ]) if @m && $c->{created} % 3 == 0;

    for my $b (@batch) {
        same($t->call('/im/import', { %conv, messages => $b })->json, { stored => 0 + @$b, skipped => 0 }, 'import');
    }
    my $before = $json->encode($t->redis('ZRANGE', "im:{c:@{[ $c->{type} ? $c->{id} : $c->{computed} ]}}:m", 0, -1));
    for my $b ([ @m ], [ @m ? @m[0 .. $#m / 2] : () ]) {
        same($t->call('/im/import', { %conv, messages => $b })->json, { stored => 0, skipped => 0 + @$b }, 'import again');
    }
    same($json->encode($t->redis('ZRANGE', "im:{c:@{[ $c->{type} ? $c->{id} : $c->{computed} ]}}:m", 0, -1)), $before, 'nothing is stored twice');
}


# --- list, pages, cursors

sub reads {
    my $c = shift;
    my @m = @{ $c->{msgs} };
    my $last = $m[-1];
    my ($u) = @{ $c->{users} };
    my @ids = ($c->{id}, $c->{type} ? () : $c->{computed});

    for my $user (@{ $c->{users} }) {
        my $n = unread_of($c, $user);
        same(row($c, $user), { conv_id => $c->{id}, conv_type => $c->{type}, conv_users => $c->{users},
            $c->{type} ? () : (users_type => [ '', '' ]), last_msg => $last ? $last->{msg} : '',
            last_msg_type => $last ? $last->{msg_type} : 0, last_user_name => '',
            last_time => $last ? $last->{from_time} : $c->{created}, unread_count => $n }, "list of $user");
        same($t->unread($user), $n, "unread of $user");
    }

    for my $id (@ids) {
        same($t->page($id), shown($c, @m), "page of $id");
        same($t->page($id, page_no => 2, page_size => 2), shown($c, @m > 2 ? @m[($#m < 3 ? 0 : $#m - 3) .. $#m - 2] : ()), 'page 2');
        same($t->page($id, after => '', page_size => 2), shown($c, @m[0 .. ($#m > 0 ? 1 : $#m)]), 'after ""');
        for my $k (0 .. $#m) {
            same($t->page($id, before => $m[$k]{msg_id}), shown($c, @m[0 .. $k - 1]), "before $k");
            same($t->page($id, after => $m[$k]{msg_id}), shown($c, @m[$k + 1 .. $#m]), "after $k");
        }
        same(code("/im/conv/$id", { before => $_ }), 'msg_not_found', "before $_") for 'none', '1-0000000000000000', 'Zk+/_=';
        same(code("/im/conv/$id", { from_id => 'eve' }), 'not_member', 'page of another');
        same(code("/who/conv/$id", {}, 'X-User: eve'), $c->{type} ? 'not_member' : 'conv_not_found', 'page of another, im_user');
        same($t->post("/who/conv/$id", { page_no => 2, page_size => 1 }, headers => [ "X-User: $u" ])->json,
             shown($c, @m > 1 ? $m[-2] : ()), 'page of a member, im_user');
    }
    if (!$c->{type}) {
        same($t->pair(@{ $c->{users} }[0, 1], page_no => 2, page_size => 1), shown($c, @m > 1 ? $m[-2] : ()), 'page of the two');
        same($t->pair(@{ $c->{users} }[1, 0], before => $m[1]{msg_id}), shown($c, $m[0]), 'page of the two, a cursor') if @m;
        same(code('/im/from/to', { from_id => $c->{users}[0], to_id => $c->{users}[1], after => 'none' }), 'msg_not_found', 'a wrong one');
    }
}


# --- read, readers, send, recall, hide

sub writes {
    my $c = shift;
    my ($one, $two) = @{ $c->{users} };
    my @m = @{ $c->{msgs} };
    my $id = $c->{id};

    for my $k ($#m < 0 ? () : (0, $#m)) {
        same(code("/im/conv/$id/read", { from_id => $two, msg_id => $m[$k]{msg_id} }), 'ok', "read to $k");
    }
    my %told = @{ $t->readers($id) };
    same([ sort keys %told ], [ sort @{ $c->{users} } ], 'readers are the members');
    same($told{$two}, @m ? $m[-1]{msg_id} : '', 'readers have the imported id');
    same(row($c, $two)->{unread_count}, 0, 'read');
    same(code("/im/conv/$id/read", { from_id => $two, msg_id => $_ }), 'msg_not_found', "read to $_") for 'none', '1-0000000000000000';
    same(code("/im/conv/$id/read", { from_id => 'eve', msg_id => 'none' }), 'not_member', 'read of another');
    same(code("/im/conv/$id/read", { from_id => $one }), 'ok', 'read all');

    # the sequence goes on, and so does time
    my $r = $t->say_in($one => $id, 'live', client_msg_id => 'k');
    same([ $r->conv_id, ($r->msg_id =~ /^(\d+)-/)[0] ], [ $id, '' . (@m + 1) ], 'send');
    same($t->say_in($one => $id, 'live', client_msg_id => 'k')->msg_id, $r->msg_id, 'send again');
    my $s = $r;
    if (!$c->{type}) {
        $s = $t->say($two => $one, 'live too');
        same($s->conv_id, $id, 'send to a user');
        $s = $t->say_in($two => $_->[0], 'both', to_id => $_->[1]) for [ $id, $one ];
        same([ $s->conv_id, ($s->msg_id =~ /^(\d+)-/)[0] ], [ $id, '' . (@m + 3) ], 'send with both');
        same(code('/im/send/msg', { from_id => $one, conv_id => $id, to_id => 'eve', msg => 'x', msg_type => 0 }), 'conv_mismatch', 'to another');
    }
    same(code('/im/send/msg', { from_id => 'eve', conv_id => $id, msg => 'x', msg_type => 0 }), 'not_member', 'send of another');
    same(code('/who/send/msg', { from_id => 'eve', conv_id => $id, msg => 'x', msg_type => 0 }, 'X-User: eve'),
         $c->{type} ? 'not_member' : 'conv_not_found', 'send of another, im_user');
    my $page = $t->page($id, page_size => 1);
    same([ @{ $page->[0] }{qw(msg_id conv_id)} ], [ $s->msg_id, $id ], 'it is there');
    same($page->[0]{from_time} >= (@m ? $m[-1]{from_time} : 0), !!1, 'time does not go back');
    same($t->page($id, after => @m ? $m[-1]{msg_id} : '', page_size => 1)->[0]{msg_id}, $r->msg_id, 'after an imported one come those of here');
    same($t->page($id, before => $r->msg_id), shown($c, @m), 'before those of here come imported ones');
    same(row($c, $two)->{unread_count}, $c->{type} ? 1 : 0, 'unread');
    same(code("/im/conv/$id/read", { from_id => $two, msg_id => $s->msg_id }), 'ok', 'read to one of here');

    for my $k (grep { $m[$_]{from_id} eq $one } 0 .. $#m) {
        same(code('/im/msg/recall', { from_id => $one, conv_id => $id, msg_id => $m[$k]{msg_id} }), 'ok', "recall $_") for 1 .. 2;
        $m[$k] = { %{ $m[$k] }, msg => '' };
    }
    same($t->page($id, before => $r->msg_id), shown($c, @m), 'they are recalled');
    same(code('/im/msg/recall', { from_id => $two, conv_id => $id, msg_id => $m[0]{msg_id} }), 'forbidden', 'not by another') if @m && $c->{users}[0] ne $two;
    same(code('/im/msg/recall', { from_id => $one, conv_id => $id, msg_id => 'none' }), 'msg_not_found', 'none');
    same(code('/im/msg/recall', { from_id => 'eve', conv_id => $id, msg_id => 'none' }), 'not_member', 'another');

    same(code("/im/conv/$id/hide", { from_id => $two }), 'ok', 'hide');
    same(row($c, $two), undef, 'hidden');
    $t->say_in($one => $id, 'come back');
    same(row($c, $two)->{last_msg}, 'come back', 'and back');
    same(code("/im/conv/$id/hide", { from_id => 'eve' }), 'not_member', 'hide of another');
    same(code("/im/conv/$id/readers", { from_id => 'eve' }), 'not_member', 'readers for another');

    # what is older is refused, and what was imported is still skipped
    same(code('/im/import', { conv_id => $id, conv_type => $c->{type}, conv_users => $c->{users},
        messages => [ { msg_id => 'late', msg_type => 0, msg => 'x', from_id => $one, from_time => 1700000000000 } ] }),
        'import_conflict', 'late');
    same($t->call('/im/import', { conv_id => $id, conv_type => $c->{type}, conv_users => $c->{users},
        messages => $c->{msgs} })->json, { stored => 0, skipped => 0 + @m }, 'skipped');
}


# --- calls of groups

sub pair {
    my $c = shift;
    my ($one, $two) = @{ $c->{users} };
    my %call = (
        list => sub { {} }, alias => sub { { id => $_[0], alias => 'a' } }, set => sub { { from_id => $_[0], name => 'n' } },
        leave => sub { { from_id => $_[0] } }, dismiss => sub { { from_id => $_[0] } },
        remove => sub { { from_id => $_[0], member => [$two] } }, transfer => sub { { from_id => $_[0], to_id => $two } },
    );
    for my $name (sort keys %call) {
        my $path = "group/$c->{id}/$name";
        same(code("/im/$path", $call{$name}->($one)), 'not_group', $name);
        same(code("/who/$path", $call{$name}->($_->[0]), "X-User: $_->[0]"), $_->[1], "$name by $_->[0]")
            for [ $one, 'not_group' ], [ 'eve', 'conv_not_found' ];
        same(code("/im/$path", $call{$name}->('eve')), 'not_member', "$name by another") if $name ne 'list';
    }
    same(code('/im/add/group/merber', { conv_id => $c->{id}, member => ['eve'] }), 'not_group', 'add');
    same(code('/who/add/group/merber', { conv_id => $c->{id}, member => ['eve'] }, 'X-User: eve'), 'conv_not_found', 'add by another');
    same(code('/im/creat/group', { owner_id => $one, name => 'n', conv_id => $c->{id} }),
         $c->{id} =~ /^[0-9a-f]{24}$/ ? 'bad_request' : 'conv_exists', 'its id is taken');
    same([ map { $_->{conv_id} } grep { $_->{conv_type} } @{ $t->list('eve') } ], [], 'eve is in no group');
}

sub group {
    my $c = shift;
    my ($owner, $two) = @{ $c->{users} };
    my $id = $c->{id};
    my $g = "/im/group/$id";

    same([ map { $_->{id} } @{ $t->members($id) } ], $c->{users}, 'members');
    same(code("$g/alias", { id => $two, alias => 'al' }), 'ok', 'alias');
    same((grep { $_->{id} eq $two } @{ $t->members($id) })[0]{alias}, 'al', 'is there');
    same(code("$g/set", { from_id => $owner, name => 'new' }), 'ok', 'set');
    same(code("$g/set", { from_id => $two, name => 'new' }), 'forbidden', 'set by another member');
    same(code('/im/add/group/merber', { conv_id => $id, member => [ 'new', $two ] }), 'ok', 'add');
    same(row($c, 'new')->{unread_count}, 0, 'who is new has read all');
    same(code("$g/transfer", { from_id => $owner, to_id => 'new' }), 'ok', 'transfer');
    same($t->members($id)->[0]{id}, 'new', 'the owner comes first');
    same(code("$g/leave", { from_id => $owner }), 'ok', 'leave');
    same(row($c, $owner), undef, 'gone');
    same(code("$g/remove", { from_id => 'new', member => [ $two, 'eve' ] }), 'ok', 'remove');
    same(code('/im/send/msg', { from_id => $two, conv_id => $id, msg => 'x', msg_type => 0 }), 'not_member', 'removed');
    same(code('/im/send/msg', { from_id => 'new', conv_id => $id, to_id => $two, msg => 'x', msg_type => 0 }), 'ok', 'to_id is ignored');
    same(code("/who/group/$id/list", {}, 'X-User: new'), 'ok', 'members, im_user');
    same(code("/who/group/$id/list", {}, 'X-User: eve'), 'not_member', 'of another');

    # the members of the first batch, and those of now, are its users
    for my $users ($c->{users}, [ reverse @{ $c->{users} } ], [ map { $_->{id} } @{ $t->members($id) } ]) {
        same($t->call('/im/import', { conv_id => $id, conv_type => 1, conv_users => $users, messages => $c->{msgs} })->json,
             { stored => 0, skipped => 0 + @{ $c->{msgs} } }, 'skipped');
    }
    same(code('/im/import', { conv_id => $id, conv_type => 1, conv_users => ['eve'], messages => [] }), 'import_conflict', 'others');

    same(code("$g/dismiss", { from_id => 'new' }), 'ok', 'dismiss') for 1 .. 2;
    same(code('/im/send/msg', { from_id => 'new', conv_id => $id, msg => 'x', msg_type => 0 }), 'dismissed', 'dismissed');
    same(code('/im/msg/recall', { from_id => 'new', conv_id => $id, msg_id => $c->{msgs}[2]{msg_id} }), 'dismissed', 'no recall') if @{ $c->{msgs} };
    same(code("/im/conv/$id", { from_id => 'new' }), 'ok', 'and can be read');
    same(code('/im/import', { conv_id => $id, conv_type => 1, conv_users => $c->{users}, messages => [
        { msg_id => 'n', msg_type => 0, msg => 'x', from_id => 'new', from_time => 9999999999999 } ] }), 'dismissed', 'nothing is added');
    same(code("$g/leave", { from_id => 'new' }), 'ok', 'and left');
}
